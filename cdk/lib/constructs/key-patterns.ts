import { artefactKeys, controlKeys } from "@fedmkt/shared/contracts/keys.ts";

/** Stands for any name in a pattern of keys. */
const ANY = "*";

/** What roles may name of the buckets' keys, made by the functions that make the keys: the two cannot disagree. */
export const KEYS = {
  runs: "runs/*",
  /** models' tokenizers and data that a deployment keeps beside its runs */
  material: "material/*",
  claim: controlKeys.claim(ANY),
  plan: controlKeys.plan(ANY),
  publicSet: controlKeys.publicSet(ANY),
  evaluationSets: controlKeys.evaluationSet(ANY, ANY),
  status: controlKeys.status(ANY),
  maps: artefactKeys.map(ANY, ANY, ANY),
  parties: `runs/${ANY}/parties/*`,
  aligned: `runs/${ANY}/round-*/aligned/*`,
  selections: `runs/${ANY}/round-*/selection/*`,
  averaged: `runs/${ANY}/round-*/averaged/*`,
  roundSummaries: `runs/${ANY}/round-*/summary.json`,
  published: `${artefactKeys.published(ANY)}/*`,
} as const;
