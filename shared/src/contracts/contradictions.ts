import { choicesInForce, findExcludedChoices, METHOD_NAMES } from "./methods.ts";
import { PAPER } from "./paper-defaults.ts";
import { metricsOf, SCORE_METRIC_NAMES, type ScoreMetricName, TASKS, type Task } from "./score-metrics.ts";
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

  sets.forEach((set, index) => {
    issues.push(
      ...findSetContradictions(set).map(({ key, message }) => ({ path: ["evaluation", index, ...key], message })),
    );
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
  issues.push(...findGateContradictions(top), ...findMeanContradictions(top));
  if (new Set(clients.map(({ lora }) => writeLora(lora))).size > 1) {
    const message = "fedavg needs the same lora settings for every client";
    if (top.aggregation === "fedavg") issues.push({ path: ["aggregation"], message });
    for (const [index, name] of list(top.baselines).entries())
      if (name === "fedavg" || name === "fedavg+public") issues.push({ path: ["baselines", index], message });
  }
  return [...issues, ...findMembershipContradictions(top), ...findBaselineContradictions(top)];
}

/** Clients that leave before they join, or come after the run; rounds without any client. */
function findMembershipContradictions({ rounds, clients: given }: Mapping): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const clients = list(given).map(mapping);
  // of a wrong number of rounds that is told, and nothing that follows from it
  const last = typeof rounds === "number" && rounds >= 1 ? rounds : MOST_ROUNDS;
  clients.forEach(({ joinsAtRound, leavesAfterRound }, index) => {
    for (const [key, round] of [
      ["joinsAtRound", joinsAtRound] as const,
      ["leavesAfterRound", leavesAfterRound] as const,
    ])
      if (typeof round === "number" && round > last)
        issues.push({ path: ["clients", index, key], message: `expected at most rounds (${last}), got ${round}` });
    if (typeof joinsAtRound === "number" && typeof leavesAfterRound === "number" && leavesAfterRound < joinsAtRound)
      issues.push({
        path: ["clients", index, "leavesAfterRound"],
        message: `expected at least joinsAtRound (${joinsAtRound}), got ${leavesAfterRound}`,
      });
  });
  if (typeof rounds !== "number" || rounds > MOST_ROUNDS || clients.length === 0) return issues;
  const empty: number[] = [];
  for (let round = 1; round <= rounds; round++)
    if (
      clients.every(
        ({ joinsAtRound, leavesAfterRound }) => round < Number(joinsAtRound) || Number(leavesAfterRound) < round,
      )
    )
      empty.push(round); // what is not given is no number, and bounds nothing
  if (empty.length > 0)
    issues.push({
      path: ["clients"],
      message: `every round needs a client: round${empty.length === 1 ? "" : "s"} ${shorten(empty)} of ${rounds} would have none`,
    });
  return issues;
}

/** The schema's own limit: a spec beyond it has that mistake told, and is not gone through round by round. */
const MOST_ROUNDS = 1000;
const ROUNDS_NAMED = 5;

function shorten(rounds: readonly number[]): string {
  return `${rounds.slice(0, ROUNDS_NAMED).join(", ")}${rounds.length > ROUNDS_NAMED ? ", …" : ""}`;
}

/** Baselines that this run cannot have, or that would be the run itself once more. */
function findBaselineContradictions(top: Mapping): SpecIssue[] {
  const { direction = "both" } = mapping(top.distillation);
  const sites = list(top.clients)
    .map(mapping)
    .filter(({ compute }) => compute === "worker")
    .map(({ id }) => id);
  const reasonAgainst = (baseline: unknown): string | null => {
    if (baseline === "centralized" && top.simulation !== true)
      return "centralized trains the server on every private set, which only a simulation may: set simulation: true where all data are yours, or leave it out";
    if (baseline === "centralized" && sites.length > 0)
      return `centralized trains the server on every private set, but that of ${sites.join(", ")} does not leave its site (compute: worker)`;
    if (baseline === "one-way" && direction === "to-clients")
      return "one-way would be this very run, whose direction is to-clients; leave it out";
    if (baseline === "one-way" && direction === "none")
      return "one-way says what the way back to the server adds, but with direction: none nothing is transferred; leave it out";
    if (baseline === "fedavg+public" && direction === "none" && top.aggregation === "fedavg")
      return "fedavg+public would be this very run, whose direction is none and whose aggregation is fedavg; leave it out";
    return null;
  };
  return list(top.baselines).flatMap((baseline, index) => {
    const message = reasonAgainst(baseline);
    return message === null ? [] : [{ path: ["baselines", index], message }];
  });
}

/** A gate that has nothing to judge by, and sets that nothing is judged by. */
function findGateContradictions({ gate, server, clients }: Mapping): SpecIssue[] {
  const parties = [
    { path: ["server"], party: mapping(server) },
    ...list(clients).map((client, index) => ({ path: ["clients", index], party: mapping(client) })),
  ];
  const validated = parties.filter(({ party }) => party.validation !== undefined);
  if (gate !== undefined && gate !== null && validated.length === 0)
    return [
      {
        path: ["gate"],
        message:
          "a gate judges by held-out sets, but no party has any: give server or clients a validation, or leave it out",
      },
    ];
  if (gate !== undefined) return [];
  return validated.map(({ path }) => ({
    path: [...path, "validation"],
    message: "only a gate judges by it: add gate: {}, or leave it out",
  }));
}

/** A loss that is divided by the answers' tokens, though more than these are taught. */
function findMeanContradictions({ method = "product", distillation }: Mapping): SpecIssue[] {
  const given = mapping(distillation);
  const named = METHOD_NAMES.find((name) => name === method);
  if (given.knowledgeMean !== "all" || !named || choicesInForce(named, given).positions !== "all") return [];
  const message =
    "knowledgeMean: all divides by the answers' tokens, but positions: all teaches the prompts' too; take positions: answer, or knowledgeMean: taught";
  return [{ path: ["distillation", "knowledgeMean"], message }];
}

/** Of one held-out set: metrics of another task than its own, and what belongs to generation alone. */
function findSetContradictions({
  task = "text",
  metrics,
  maxTokens,
  stop,
}: Mapping): { key: PropertyKey[]; message: string }[] {
  if (!TASKS.includes(task as Task)) return [];
  const allowed = metricsOf(task as Task, "all");
  const found: { key: PropertyKey[]; message: string }[] = [];
  list(metrics).forEach((metric, index) => {
    if (SCORE_METRIC_NAMES.includes(metric as ScoreMetricName) && !allowed.includes(metric as ScoreMetricName))
      found.push({
        key: ["metrics", index],
        message: `a set of task ${task} has the metrics ${allowed.join(", ")}, not ${metric}`,
      });
  });
  for (const [key, value] of Object.entries({ maxTokens, stop }))
    if (value !== undefined && task !== "generation")
      found.push({ key: [key], message: `is of task generation; this set's task is ${task}` });
  return found;
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
