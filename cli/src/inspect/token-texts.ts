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

/** Tokenizers that a person names, for files that belong to no run's folder. */
export interface NamedTokenizers {
  tokenText: TokenText;
  /** those that no token was asked of so far */
  unused(): { place: string; hash: string }[];
}

/**
 * @param places - model folders, or files such as tokenizer.json
 * @throws InvalidInputError `FILE_MISSING`, and what {@link openTokenizer} refuses
 */
export function openNamedTokenizers(places: readonly string[], cwd: string): NamedTokenizers {
  const tokenizers = places.map((place) => ({ place, ...openAt(resolve(cwd, place), place) }));
  const vocabularies = new Map(tokenizers.map(({ hash, vocabulary }) => [hash, vocabulary]));
  const asked = new Set<string>();
  return {
    tokenText: ({ tokenizerHash }, id) => {
      asked.add(tokenizerHash);
      return textOf(vocabularies.get(tokenizerHash) ?? null, id);
    },
    unused: () => tokenizers.filter(({ hash }) => !asked.has(hash)).map(({ place, hash }) => ({ place, hash })),
  };
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
