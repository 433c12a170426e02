import { artefactKeys, controlKeys, registryKeys } from "@fedmkt/shared/contracts/keys.ts";
import type { WildcardReason } from "./explain-finding.ts";

/** Stands for any name in a pattern of keys. */
const ANY = "*";

/** What roles may name of the buckets' keys, made by the functions that make the keys: the two cannot disagree. */
export const KEYS = {
  everything: "*",
  /** models and data of single parties */
  material: "material/*",
  spec: controlKeys.spec(ANY),
  claims: `${controlKeys.claims(ANY)}*`,
  plan: controlKeys.plan(ANY),
  publicSet: controlKeys.publicSet(ANY),
  evaluationSets: controlKeys.evaluationSet(ANY, ANY),
  status: controlKeys.status(ANY),
  stop: controlKeys.stop(ANY),
  maps: artefactKeys.map(ANY, ANY, ANY),
  /** what parties' jobs make */
  jobs: `runs/${ANY}/parties/*`,
  usage: artefactKeys.usage(ANY, ANY, ANY),
  aligned: `runs/${ANY}/round-*/aligned/*`,
  selections: `runs/${ANY}/round-*/selection/*`,
  averaged: `runs/${ANY}/round-*/averaged/*`,
  roundSummaries: `runs/${ANY}/round-*/summary.json`,
  published: `${artefactKeys.published(ANY)}/*`,
  registry: registryKeys.entry(ANY, ANY),
} as const;

/** Why a policy may name objects by these patterns. */
export function keyWildcards(objectArns: string[]): WildcardReason[] {
  return objectArns.map((matching) => ({
    matching,
    reason: "Objects of one kind: runs and rounds are named when they begin, long after the policy.",
  }));
}

/**
 * What one party may name. A client is taught by the server alone, so what was translated for it begins with the server's
 * name: a pattern for any source would also fit another client whose name ends with this one's.
 */
export function partyKeys(party: string, kind: "server" | "client") {
  const source = kind === "server" ? ANY : "server";
  return {
    material: `material/${party}/*`,
    jobs: `runs/${ANY}/parties/${party}/*`,
    aligned: `runs/${ANY}/round-*/aligned/${source}--${party}/*`,
    selection: `runs/${ANY}/round-*/selection/${party}.json`,
    usage: `runs/${ANY}/usage/${party}/*`,
  };
}
