import { parseEndTokens } from "../formats/end-tokens.ts";
import type { Tokenizer } from "../ports/tokenizer.ts";
import type { StageDependencies } from "./dependencies.ts";
import { MAX_CONFIG_BYTES } from "./party-tokenizer.ts";
import { readOptional } from "./read-optional.ts";

const FILES = ["config.json", "generation_config.json"];

/**
 * The tokens that end a text of this model: the tokenizer's EOS, and all that config.json and generation_config.json name. Ids that
 * the tokenizer has not are left out: no text has them.
 *
 * @param location - the model's folder
 * @throws InvalidInputError `INVALID_MODEL_CONFIG`
 */
export async function endTokens(
  { material }: Pick<StageDependencies, "material">,
  location: string,
  { vocabulary: { roles, strings } }: Tokenizer,
): Promise<number[]> {
  const ends = new Set(roles.eos === null ? [] : [roles.eos]);
  for (const file of FILES) {
    const bytes = await readOptional(material, `${location}/${file}`, MAX_CONFIG_BYTES);
    if (bytes !== null) for (const id of parseEndTokens(bytes, `${location}/${file}`)) ends.add(id);
  }
  return [...ends].filter((id) => (strings[id] ?? null) !== null);
}
