import { encodeJson, parseJson } from "../contracts/json-document.ts";
import { artefactKeys, controlKeys } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import { selection } from "../contracts/selection.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { type RoundSummary, roundSummary, type Score, scores } from "../contracts/summary.ts";
import type { RunStores, StageDependencies } from "./dependencies.ts";
import { finishedJob, readOutput } from "./job-outputs.ts";
import { loadPlan } from "./load-plan.ts";
import { SCORES } from "./party-outputs.ts";
import { readJson } from "./read-json.ts";
import { runDollars } from "./run-cost.ts";

type Stopped = RoundSummary["stopped"];

/**
 * Gathers what the round's jobs measured into one summary and says whether it was the last: the spec has no more, the run's workers
 * have used up the budget, or an operator wants it to end. That is decided once: a round that is closed again, since its answer was
 * lost or the run was taken up again, ends as it did.
 */
export function closeRound(deps: StageDependencies) {
  return async ({ run, round }: StageInput<"close-round">): Promise<StageOutput<"close-round">> => {
    const plan = await loadPlan(deps, run);
    const summary: RoundSummary = { round, stopped: null, scores: [], transfers: [], selections: [], training: [] };
    for (const { id } of plan.parties) {
      summary.scores.push(...(await readScores(deps, artefactKeys.job(run, round, "evaluate", id))));
      const key = artefactKeys.selection(run, round, id);
      const { count, transfers } = await readJson(deps.objects, deps.buckets.artefacts, key, selection);
      summary.selections.push(count);
      summary.transfers.push(...transfers);
      summary.training.push(...(await trainingOf(deps, plan, round, id)));
    }
    const dollars = await runDollars(deps, plan);
    const isLast = round >= plan.spec.rounds;
    if (!isLast) summary.stopped = await reasonToStop(deps, plan, dollars);
    const stopped = await writeOnce(deps, run, roundSummary.parse(summary));
    return { run, round, done: isLast || stopped !== null, dollars };
  };
}

/** An operator's wish comes first: it is what was done last. */
async function reasonToStop(deps: StageDependencies, { run, spec }: Plan, dollars: number): Promise<Stopped> {
  if ((await deps.objects.head(deps.buckets.control, controlKeys.stop(run))) !== null) return "request";
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
): Promise<RoundSummary["training"]> {
  const stages = party === "server" ? ["server-distil"] : ["client-train", "client-distil"];
  const found: RoundSummary["training"] = [];
  for (const stage of stages) {
    const done = await finishedJob(deps, artefactKeys.job(plan.run, round, stage, party));
    if (done) found.push({ round, party, stage, steps: done.metrics.steps, loss: done.metrics.loss });
  }
  return found;
}
