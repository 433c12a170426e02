import { encodeJson, parseJson } from "../contracts/json-document.ts";
import { artefactKeys, controlKeys } from "../contracts/keys.ts";
import type { Manifest } from "../contracts/manifest.ts";
import type { Plan } from "../contracts/plan.ts";
import { selection } from "../contracts/selection.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { type RoundSummary, roundSummary, type Score, scores } from "../contracts/summary.ts";
import type { RunStores, StageDependencies } from "./dependencies.ts";
import { finishedJob, readOutput } from "./job-outputs.ts";
import { loadMainPlan, loadPlan } from "./load-plan.ts";
import { jobFolder, SCORES } from "./party-outputs.ts";
import { nextRound, plannedRound } from "./plan-rounds.ts";
import { readJson } from "./read-json.ts";
import { runDollars } from "./run-cost.ts";

type Stopped = RoundSummary["stopped"];

/**
 * Gathers what the round's jobs measured into one summary and says which round follows, and who is in it: the spec's next one, after
 * its last one the first of a variant, or none, since there is no more, the run's workers have used up the budget, or an operator
 * wants it to end. That is decided once: a round that is closed again, since its answer was lost or the run was taken up again, ends
 * as it did.
 */
export function closeRound(deps: StageDependencies) {
  return async ({ run, round }: StageInput<"close-round">): Promise<StageOutput<"close-round">> => {
    const plan = await loadPlan(deps, run);
    const summary: RoundSummary = {
      round,
      stopped: null,
      scores: [],
      transfers: [],
      selections: [],
      training: [],
      gates: [],
    };
    const { direction, members } = plannedRound(plan, round);
    for (const { id } of members.parties) {
      summary.scores.push(...(await readScores(deps, artefactKeys.job(run, round, "evaluate", id))));
      if (direction !== "none") {
        const key = artefactKeys.selection(run, round, id);
        const { count, transfers } = await readJson(deps.objects, deps.buckets.artefacts, key, selection);
        summary.selections.push(count);
        summary.transfers.push(...transfers);
      }
      const trained = await trainingOf(deps, plan, round, id);
      summary.training.push(
        ...trained.map(({ stage, metrics: { steps, loss } }) => ({ round, party: id, stage, steps, loss })),
      );
      summary.gates.push(...trained.flatMap(({ metrics }) => gateOf(round, id, metrics)));
    }
    const dollars = await runDollars(deps, plan);
    const follows = nextRound(plan, await loadMainPlan(deps, plan), round);
    if (follows !== null) summary.stopped = await reasonToStop(deps, plan, dollars);
    const stopped = await writeOnce(deps, run, roundSummary.parse(summary));
    const next = stopped === null ? follows : null;
    return { run, round, done: next === null, dollars, next };
  };
}

/** An operator's wish comes first: it is what was done last. */
async function reasonToStop(deps: StageDependencies, plan: Plan, dollars: number): Promise<Stopped> {
  const { run, spec, variantOf } = plan;
  const wish = controlKeys.stop(variantOf?.run ?? run);
  if ((await deps.objects.head(deps.buckets.control, wish)) !== null) return "request";
  return spec.budget !== undefined && dollars >= spec.budget.dollars ? "budget" : null;
}

/** @returns why no round follows, as the summary says that was written first */
async function writeOnce(deps: StageDependencies, run: string, summary: RoundSummary): Promise<Stopped> {
  const key = artefactKeys.roundSummary(run, summary.round);
  const { objects, buckets } = deps;
  if (await objects.putIfAbsent(buckets.artefacts, key, encodeJson(summary))) return summary.stopped;
  return (await readJson(objects, buckets.artefacts, key, roundSummary)).stopped;
}

/** The summaries of a run's closed rounds, from the first to the one after which it ended. */
export async function readClosedRounds(deps: RunStores, { run, spec }: Plan): Promise<RoundSummary[]> {
  const rounds: RoundSummary[] = [];
  do {
    const key = artefactKeys.roundSummary(run, rounds.length + 1);
    rounds.push(await readJson(deps.objects, deps.buckets.artefacts, key, roundSummary));
  } while (rounds.length < spec.rounds && rounds.at(-1)!.stopped === null);
  return rounds;
}

/** The scores that an evaluation or a baseline wrote. */
export async function readScores(deps: RunStores, folder: string): Promise<Score[]> {
  return parseJson(await readOutput(deps, folder, SCORES), `${folder}/${SCORES}`, scores);
}

async function trainingOf(
  deps: StageDependencies,
  plan: Plan,
  round: number,
  party: string,
): Promise<{ stage: string; metrics: Manifest["metrics"] }[]> {
  const stages = party === "server" ? ["server-distil"] : ["client-train", "client-distil"];
  const found: { stage: string; metrics: Manifest["metrics"] }[] = [];
  for (const stage of stages) {
    const done = await finishedJob(deps, jobFolder(plan, round, stage, party));
    if (done) found.push({ stage, metrics: done.metrics });
  }
  return found;
}

/** What a job's gate found; nothing where it has none. client-train, which knows the loss before the round alone, judges nothing. */
function gateOf(round: number, party: string, metrics: Manifest["metrics"]): RoundSummary["gates"] {
  if (metrics.undone === undefined) return [];
  const { validationBefore: before, validationAfter: after = null, undone } = metrics;
  return [{ round, party, before, after, undone: undone === 1 }];
}
