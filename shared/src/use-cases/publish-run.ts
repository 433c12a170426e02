import { encodeJson } from "../contracts/json-document.ts";
import { artefactKeys, registryKeys } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import { type RegistryEntry, registryEntry } from "../contracts/registry-entry.ts";
import { partySpec } from "../contracts/run-spec.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { type RoundSummary, type RunSummary, runSummary } from "../contracts/summary.ts";
import { invariant } from "../core/errors.ts";
import { adaptedLayers, adapterConfig, adapterReadme } from "../formats/peft-adapter.ts";
import { sha256 } from "../formats/sha256.ts";
import { renderReport } from "../report/render-report.ts";
import { lastClaim } from "./claim-run.ts";
import { readClosedRounds, readScores } from "./close-round.ts";
import type { StageDependencies } from "./dependencies.ts";
import { readOutput } from "./job-outputs.ts";
import { loadPlan } from "./load-plan.ts";
import { ADAPTER, adapterAfterRound } from "./party-outputs.ts";
import { writeStatus } from "./write-status.ts";

/**
 * Publishes what the run made, as its last closed round left it: every party's adapter as a PEFT folder, summary.json, report.html;
 * then registers the adapters and says that the run succeeded.
 */
export function publishRun(deps: StageDependencies) {
  return async ({ run }: StageInput<"publish-run">): Promise<StageOutput<"publish-run">> => {
    const plan = await loadPlan(deps, run);
    const holder = await lastClaim(deps, run);
    invariant(holder, "RUN_UNCLAIMED", `run ${run}: expected a claim, found none`);
    const rounds = await readClosedRounds(deps, plan);
    const summary = runSummary.parse(await summarise(deps, plan, rounds));
    const adapters: RegistryEntry[] = [];
    for (const { id } of plan.parties) adapters.push(await publishAdapter(deps, plan, id, summary, rounds.length));
    await put(deps, run, "summary.json", encodeJson(summary));
    await put(deps, run, "report.html", new TextEncoder().encode(renderReport(summary)));
    for (const entry of adapters)
      await deps.objects.put(deps.buckets.registry, registryKeys.entry(entry.party, run), encodeJson(entry));
    await writeStatus(deps, { run, status: "SUCCEEDED", execution: holder.execution });
    return { summary: `${artefactKeys.published(run)}/summary.json` };
  };
}

async function put(deps: StageDependencies, run: string, name: string, bytes: Uint8Array): Promise<void> {
  await deps.objects.put(deps.buckets.artefacts, `${artefactKeys.published(run)}/${name}`, bytes);
}

/** Writes one party's PEFT folder. @returns what the registry says of it */
async function publishAdapter(
  deps: StageDependencies,
  plan: Plan,
  party: string,
  { scores }: RunSummary,
  rounds: number,
): Promise<RegistryEntry> {
  const { run, specHash } = plan;
  const { model, lora } = partySpec(plan.spec, party);
  const { configHash, tokenizerHash, weightsFingerprint } = plan.parties.find(({ id }) => id === party)!;
  const weights = await readOutput(deps, adapterAfterRound(plan, { round: rounds, party }), ADAPTER);
  const targets = adaptedLayers(weights, `${party}: ${ADAPTER}`);
  const about = { baseModel: modelName(model), lora: { ...lora, targets }, run, party, rounds };
  const files = {
    "README.md": adapterReadme(about),
    "adapter_config.json": adapterConfig(about),
    "adapter_model.safetensors": weights,
  };
  for (const [name, bytes] of Object.entries(files)) await put(deps, run, `adapters/${party}/${name}`, bytes);
  return registryEntry.parse({
    version: 1,
    party,
    run,
    rounds,
    specHash,
    base: { name: about.baseModel, configHash, tokenizerHash, weightsFingerprint },
    adapter: {
      bucket: deps.buckets.artefacts,
      folder: `${artefactKeys.published(run)}/adapters/${party}`,
      files: Object.entries(files).map(([name, bytes]) => ({ name, bytes: bytes.length, sha256: sha256(bytes) })),
    },
    scores: scores.filter((one) => one.party === party && one.variant === "fedmkt" && one.round === rounds),
  });
}

/** A model's folder name: its whole location would tell where somebody keeps files, and differ from machine to machine. */
function modelName(location: string): string {
  return location.split("/").filter(Boolean).at(-1) ?? location;
}

async function summarise(deps: StageDependencies, plan: Plan, rounds: readonly RoundSummary[]): Promise<RunSummary> {
  const { spec, run } = plan;
  const reason = rounds.at(-1)!.stopped;
  const summary: RunSummary = {
    version: 1,
    run,
    specHash: plan.specHash,
    method: spec.method,
    distillation: spec.distillation,
    seed: spec.seed,
    rounds: spec.rounds,
    simulation: spec.simulation,
    parties: plan.parties.map(({ id, vocabularySize, contextTokens }) => ({ id, vocabularySize, contextTokens })),
    sets: spec.evaluation.map(({ name, owner, task }) => ({ name, owner: owner ?? null, task })),
    publicSamples: plan.public.samples,
    baselines: [...new Set(plan.machine.baselines.map(({ baseline }) => baseline))],
    stopped: reason === null ? null : { afterRound: rounds.length, reason },
    scores: [],
    transfers: [],
    selections: [],
    training: [],
    adapters: plan.parties.map(({ id }) => ({ party: id, folder: `adapters/${id}` })),
  };
  for (const { party, baseline } of plan.machine.baselines)
    summary.scores.push(...(await readScores(deps, artefactKeys.baseline(run, party, baseline))));
  for (const measured of rounds)
    for (const name of ["scores", "transfers", "selections", "training"] as const)
      (summary[name] as unknown[]).push(...measured[name]);
  return summary;
}
