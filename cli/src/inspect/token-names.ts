import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openTokenizer } from "@fedmkt/shared/adapters/tokenizers/open-tokenizer.ts";
import type { Plan } from "@fedmkt/shared/contracts/plan.ts";
import { partySpec } from "@fedmkt/shared/contracts/run-spec.ts";
import type { Vocabulary } from "@fedmkt/shared/ports/tokenizer.ts";
import { type NameToken, plainId } from "./inspection.ts";

/** Token ids with their texts, `17 "the"`, by the tokenizers that the plan names; the id alone where one has gone or changed since. */
export function tokenNames(plan: Plan | null): NameToken {
  if (plan === null) return plainId;
  const vocabularies = new Map<string, Vocabulary | null>();
  return (party, id) => {
    if (!vocabularies.has(party)) vocabularies.set(party, readVocabulary(plan, party));
    const bytes = vocabularies.get(party)?.tokens[id];
    return bytes ? `${id} ${JSON.stringify(new TextDecoder().decode(bytes))}` : String(id);
  };
}

function readVocabulary(plan: Plan, party: string): Vocabulary | null {
  const planned = plan.parties.find(({ id }) => id === party);
  if (planned === undefined) return null;
  const { model } = partySpec(plan.spec, party);
  const [tokenizer, config] = ["tokenizer.json", "config.json"].map((name) => join(model, name));
  if (!existsSync(tokenizer) || !existsSync(config)) return null;
  const opened = openTokenizer(readFileSync(tokenizer), readFileSync(config), `${party}: ${tokenizer}`);
  return opened.hash === planned.tokenizerHash ? opened.vocabulary : null;
}
