import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { openTokenizer } from "@fedmkt/shared/adapters/tokenizers/open-tokenizer.ts";
import type { Plan } from "@fedmkt/shared/contracts/plan.ts";
import { partySpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { Tokenizer, Vocabulary } from "@fedmkt/shared/ports/tokenizer.ts";
import type { TokenText } from "./inspection.ts";

/** A tokenizer without a model's config.json has no roles, which names need not. */
const NO_CONFIG = new TextEncoder().encode("{}");

/** Texts by the tokenizers that a plan names; none where one has gone or changed since. */
export function textsOfPlan(plan: Plan | null): TokenText {
  if (plan === null) return () => null;
  const vocabularies = new Map<string, Vocabulary | null>();
  return ({ party }, id) => {
    if (!vocabularies.has(party)) vocabularies.set(party, readVocabulary(plan, party));
    return textOf(vocabularies.get(party) ?? null, id);
  };
}

/**
 * Texts by tokenizers that a person names, for files that belong to no run's folder.
 * @param places - model folders, or files such as tokenizer.json
 * @throws InvalidInputError `FILE_MISSING`, and what {@link openTokenizer} refuses
 */
export function textsOfTokenizers(places: readonly string[], cwd: string): TokenText {
  const vocabularies = new Map(
    places.map((place) => {
      const { hash, vocabulary } = openAt(resolve(cwd, place), place);
      return [hash, vocabulary];
    }),
  );
  return ({ tokenizerHash }, id) => textOf(vocabularies.get(tokenizerHash) ?? null, id);
}

function readVocabulary(plan: Plan, party: string): Vocabulary | null {
  const planned = plan.parties.find(({ id }) => id === party);
  if (planned === undefined) return null;
  const { model } = partySpec(plan.spec, party);
  if (!existsSync(join(model, "tokenizer.json"))) return null;
  const { hash, vocabulary } = openAt(model, `${party}: ${model}`);
  return hash === planned.tokenizerHash ? vocabulary : null;
}

function openAt(place: string, what: string): Tokenizer {
  const isFolder = statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = isFolder ? join(place, "tokenizer.json") : place;
  if (!existsSync(file))
    throw new InvalidInputError(
      "FILE_MISSING",
      `${what}: expected a tokenizer.json or a folder with one, there is none`,
    );
  const config = join(dirname(file), "config.json");
  return openTokenizer(readFileSync(file), existsSync(config) ? readFileSync(config) : NO_CONFIG, what);
}

/** A special token stands for no text: it has a name. */
function textOf(vocabulary: Vocabulary | null, id: number): string | null {
  const bytes = vocabulary?.tokens[id];
  return bytes ? new TextDecoder().decode(bytes) : (vocabulary?.strings[id] ?? null);
}
