import { findExcludedChoices } from "./methods.ts";
import { PAPER } from "./paper-defaults.ts";
import type { SpecIssue } from "./spec-issues.ts";

type Mapping = Record<string, unknown>;

/**
 * What a schema cannot say of a run's spec: names given twice, owners that do not exist, settings that exclude each other.
 * Takes any value, checked or not, so that these mistakes are told together with all others.
 */
export function findContradictions(spec: unknown): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const top = mapping(spec);
  const clients = list(top.clients).map(mapping);
  const clientIds = clients.map(({ id }) => id);
  reportTaken(clientIds, "clients", "id", issues);
  clients.forEach(({ id }, index) => {
    if (id === "server")
      issues.push({ path: ["clients", index, "id"], message: 'the id "server" is the server\'s own' });
  });

  const sets = list(top.evaluation).map(mapping);
  reportTaken(
    sets.map(({ name }) => name),
    "evaluation",
    "name",
    issues,
  );
  const known = clientIds.filter((id) => typeof id === "string");
  sets.forEach(({ owner }, index) => {
    if (typeof owner === "string" && !known.includes(owner))
      issues.push({
        path: ["evaluation", index, "owner"],
        message: `no client has the id ${JSON.stringify(owner)}; there are ${[...new Set(known)].join(", ") || "none"}`,
      });
  });

  const workers = clients.filter(({ compute }) => compute === "worker").map(({ id }) => id);
  sets.forEach(({ owner }, index) => {
    if (top.simulation === true && typeof owner === "string" && workers.includes(owner))
      issues.push({
        path: ["evaluation", index, "owner"],
        message: `${owner}'s jobs run at its own site (compute: worker), which its held-out set does not leave: no other party can be scored on it, as simulation asks for; leave out owner where the set may be shared, or simulation`,
      });
  });

  for (const [path, party] of [
    [["server"], mapping(top.server)] as const,
    ...clients.map((client, index) => [["clients", index], client] as const),
  ])
    issues.push(...findTrainingContradictions(party, path));
  for (const { choice, message } of findExcludedChoices(top.method ?? "product", mapping(top.distillation)))
    issues.push({ path: ["distillation", choice], message });
  if (top.aggregation === "fedavg" && new Set(clients.map(({ lora }) => writeLora(lora))).size > 1)
    issues.push({ path: ["aggregation"], message: "fedavg needs the same lora settings for every client" });
  return issues;
}

/**
 * The same of one model's `training`.
 * @param settings - what has it, checked or not
 * @param path - where the settings stand
 */
export function findTrainingContradictions(settings: unknown, path: readonly PropertyKey[] = []): SpecIssue[] {
  const { microBatchSize, batchSize = PAPER.batchSize } = mapping(mapping(settings).training);
  if (typeof microBatchSize !== "number" || typeof batchSize !== "number" || microBatchSize <= batchSize) return [];
  const message = `expected at most batchSize (${batchSize}), got ${microBatchSize}`;
  return [{ path: [...path, "training", "microBatchSize"], message }];
}

/** Written defaults and left-out ones are the same settings. */
function writeLora(lora: unknown): string {
  const { rank, alpha, dropout, targets } = { ...PAPER.lora, targets: "default", ...mapping(lora) };
  return JSON.stringify([rank, alpha, dropout, targets]);
}

function reportTaken(names: readonly unknown[], at: string, key: string, issues: SpecIssue[]): void {
  names.forEach((name, index) => {
    const first = names.indexOf(name);
    if (typeof name === "string" && first < index)
      issues.push({
        path: [at, index, key],
        message: `the ${key} ${JSON.stringify(name)} is taken by ${at}[${first}]`,
      });
  });
}

function mapping(value: unknown): Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Mapping) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
