import { partySpec, type RunSpec } from "../contracts/run-spec.ts";
import type { Tokenizer } from "../ports/tokenizer.ts";
import type { StageDependencies } from "./dependencies.ts";

/** Largest config.json and tokenizer.json read: the largest tokenizer known (262,144 tokens) has 33 MB. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
export const MAX_TOKENIZER_BYTES = 64 * 1024 * 1024;

/** A party's tokenizer, with the roles that its model's config.json gives to tokens. */
export async function partyTokenizer(deps: StageDependencies, spec: RunSpec, party: string): Promise<Tokenizer> {
  const { model } = partySpec(spec, party);
  const config = await deps.material.read(`${model}/config.json`, MAX_CONFIG_BYTES);
  const json = await deps.material.read(`${model}/tokenizer.json`, MAX_TOKENIZER_BYTES);
  return deps.openTokenizer(json, config, `${party}: ${model}/tokenizer.json`);
}
