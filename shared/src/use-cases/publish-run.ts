import { encodeJson } from "../contracts/json-document.ts";
import { artefactKeys, controlKeys } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import { partySpec } from "../contracts/run-spec.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { type RunSummary, roundSummary, runSummary } from "../contracts/summary.ts";
import { adapterConfig, adapterReadme } from "../formats/peft-adapter.ts";
import { renderReport } from "../report/render-report.ts";
import { readScores } from "./close-round.ts";
import type { StageDependencies } from "./dependencies.ts";
import { readOutput } from "./job-outputs.ts";
import { loadPlan } from "./load-plan.ts";
import { ADAPTER, adapterAfterRound } from "./party-outputs.ts";
import { readJson } from "./read-json.ts";

/** Publishes what the run made: every party's adapter as a PEFT folder, summary.json, report.html; then says it succeeded. */
export function publishRun(deps: StageDependencies) {
  return async ({ run }: StageInput<"publish-run">): Promise<StageOutput<"publish-run">> => {
    const plan = await loadPlan(deps, run);
    const folder = artefactKeys.published(run);
    const put = (name: string, bytes: Uint8Array) =>
      deps.objects.put(deps.buckets.artefacts, `${folder}/${name}`, bytes);
    const encoder = new TextEncoder();
    for (const { id } of plan.parties) {
      const { model, lora } = partySpec(plan.spec, id);
      const about = { baseModel: modelName(model), lora, run, party: id, rounds: plan.spec.rounds };
      await put(
        `adapters/${id}/adapter_model.safetensors`,
        await readOutput(deps, adapterAfterRound(plan, { round: plan.spec.rounds, party: id }), ADAPTER),
      );
      await put(`adapters/${id}/adapter_config.json`, adapterConfig(about));
      await put(`adapters/${id}/README.md`, adapterReadme(about));
    }
    const summary = runSummary.parse(await summarise(deps, plan));
    await put("summary.json", encodeJson(summary));
    await put("report.html", encoder.encode(renderReport(summary)));
    await deps.objects.put(deps.buckets.control, controlKeys.status(run), encodeJson({ run, status: "SUCCEEDED" }));
    return { summary: `${folder}/summary.json` };
  };
}

/** A model's folder name: its whole location would tell where somebody keeps files, and differ from machine to machine. */
function modelName(location: string): string {
  return location.split("/").filter(Boolean).at(-1) ?? location;
}

async function summarise(deps: StageDependencies, plan: Plan): Promise<RunSummary> {
  const { spec, run } = plan;
  const summary: RunSummary = {
    version: 1,
    run,
    specHash: plan.specHash,
    method: spec.method,
    seed: spec.seed,
    rounds: spec.rounds,
    simulation: spec.simulation,
    parties: plan.parties.map(({ id, vocabularySize, contextTokens }) => ({ id, vocabularySize, contextTokens })),
    sets: spec.evaluation.map(({ name, owner, task }) => ({ name, owner: owner ?? null, task })),
    publicSamples: plan.public.samples,
    baselines: [...new Set(plan.machine.baselines.map(({ baseline }) => baseline))],
    scores: [],
    transfers: [],
    selections: [],
    training: [],
    adapters: plan.parties.map(({ id }) => ({ party: id, folder: `adapters/${id}` })),
  };
  for (const { party, baseline } of plan.machine.baselines)
    summary.scores.push(...(await readScores(deps, artefactKeys.baseline(run, party, baseline))));
  for (let round = 1; round <= spec.rounds; round++) {
    const key = artefactKeys.roundSummary(run, round);
    const { round: _, ...measured } = await readJson(deps.objects, deps.buckets.artefacts, key, roundSummary);
    for (const name of ["scores", "transfers", "selections", "training"] as const)
      (summary[name] as unknown[]).push(...measured[name]);
  }
  return summary;
}
