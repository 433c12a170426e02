import { partySpec, type RunSpec } from "../contracts/run-spec.ts";
import type { Tokenizer } from "../ports/tokenizer.ts";
import type { StageDependencies } from "./dependencies.ts";

/** Largest config.json and tokenizer.json read: the largest tokenizer known (262,144 tokens) has 33 MB. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
export const MAX_TOKENIZER_BYTES = 64 * 1024 * 1024;

/** A party's tokenizer, with the roles that its model's config.json gives to tokens. */
export function partyTokenizer(deps: StageDependencies, spec: RunSpec, party: string): Promise<Tokenizer> {
  return modelTokenizer(deps, partySpec(spec, party).model, `${party}: `);
}

/** The tokenizer of a model's folder. @param whose - before the file's name in errors */
export async function modelTokenizer(
  { material, openTokenizer }: Pick<StageDependencies, "material" | "openTokenizer">,
  model: string,
  whose = "",
): Promise<Tokenizer> {
  const config = await material.read(`${model}/config.json`, MAX_CONFIG_BYTES);
  const json = await material.read(`${model}/tokenizer.json`, MAX_TOKENIZER_BYTES);
  return openTokenizer(json, config, `${whose}${model}/tokenizer.json`);
}
