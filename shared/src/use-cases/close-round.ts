import { encodeJson, parseJson } from "../contracts/json-document.ts";
import { artefactKeys } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import { selection } from "../contracts/selection.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { type RoundSummary, roundSummary, type Score, scores } from "../contracts/summary.ts";
import type { StageDependencies } from "./dependencies.ts";
import { finishedJob, readOutput } from "./job-outputs.ts";
import { loadPlan } from "./load-plan.ts";
import { SCORES } from "./party-outputs.ts";
import { readJson } from "./read-json.ts";

/** Gathers what the round's jobs measured into one summary and says whether it was the last. */
export function closeRound(deps: StageDependencies) {
  return async ({ run, round }: StageInput<"close-round">): Promise<StageOutput<"close-round">> => {
    const plan = await loadPlan(deps, run);
    const summary: RoundSummary = { round, scores: [], transfers: [], selections: [], training: [] };
    for (const { id } of plan.parties) {
      summary.scores.push(...(await readScores(deps, artefactKeys.job(run, round, "evaluate", id))));
      const key = artefactKeys.selection(run, round, id);
      const { count, transfers } = await readJson(deps.objects, deps.buckets.artefacts, key, selection);
      summary.selections.push(count);
      summary.transfers.push(...transfers);
      summary.training.push(...(await trainingOf(deps, plan, round, id)));
    }
    await deps.objects.put(
      deps.buckets.artefacts,
      artefactKeys.roundSummary(run, round),
      encodeJson(roundSummary.parse(summary)),
    );
    return { run, round, done: round >= plan.spec.rounds };
  };
}

/** The scores that an evaluation or a baseline wrote. */
export async function readScores(deps: StageDependencies, folder: string): Promise<Score[]> {
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
