import { encodeJson, parseJson } from "../contracts/json-document.ts";
import { artefactKeys, registryKeys } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import { MAX_ENTRY_BYTES, type RegistryEntry, registryEntry } from "../contracts/registry-entry.ts";
import { partySpec, type RunSpec } from "../contracts/run-spec.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { type RoundSummary, type RunSummary, runSummary, type Score } from "../contracts/summary.ts";
import { InvalidInputError, invariant } from "../core/errors.ts";
import { adaptedLayers, adapterConfig, adapterReadme } from "../formats/peft-adapter.ts";
import { sha256 } from "../formats/sha256.ts";
import { renderReport } from "../report/render-report.ts";
import { lastClaim } from "./claim-run.ts";
import { readClosedRounds, readScores } from "./close-round.ts";
import type { PublishDependencies, StageDependencies } from "./dependencies.ts";
import { readOutput } from "./job-outputs.ts";
import { loadPlan } from "./load-plan.ts";
import { nameScenario } from "./name-scenario.ts";
import { ADAPTER, adapterAfterRound } from "./party-outputs.ts";
import { WITHOUT_DISTILLATION } from "./plan-baselines.ts";
import { variantPlan } from "./plan-rounds.ts";
import { lastRoundOf, SERVER } from "./round-members.ts";
import { writeStatus } from "./write-status.ts";

/**
 * Publishes what the run made, as its last closed round left it: every party's adapter as a PEFT folder, summary.json, report.html;
 * then registers the adapters and says that the run succeeded.
 */
export function publishRun(deps: PublishDependencies) {
  return async ({ run }: StageInput<"publish-run">): Promise<StageOutput<"publish-run">> => {
    const plan = await loadPlan(deps, run);
    const holder = await lastClaim(deps, run);
    invariant(holder, "RUN_UNCLAIMED", `run ${run}: expected a claim, found none`);
    const rounds = await readClosedRounds(deps, plan);
    const summary = runSummary.parse(await summarise(deps, plan, rounds));
    const adapters: RegistryEntry[] = [];
    for (const { party } of summary.adapters)
      adapters.push(await publishAdapter(deps, plan, party, summary, lastRoundOf(plan.spec, party, rounds.length)!));
    await put(deps, run, "summary.json", encodeJson(summary));
    await put(deps, run, "report.html", new TextEncoder().encode(renderReport(summary)));
    for (const entry of adapters) await register(deps, entry);
    await writeStatus(deps, { run, status: "SUCCEEDED", execution: holder.execution });
    return { summary: `${artefactKeys.published(run)}/summary.json` };
  };
}

async function put(deps: StageDependencies, run: string, name: string, bytes: Uint8Array): Promise<void> {
  await deps.objects.put(deps.buckets.artefacts, `${artefactKeys.published(run)}/${name}`, bytes);
}

/**
 * Writes one party's PEFT folder.
 * @param rounds - the last one in which it learned
 * @returns what the registry says of it
 */
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

/** An adapter that is registered again, by a publication done twice, keeps its time: it must not pass for newer than it is. */
async function register(deps: PublishDependencies, entry: RegistryEntry): Promise<void> {
  const key = registryKeys.entry(entry.party, entry.run);
  const registered = await registeredEntry(deps, key);
  const { publishedAt, ...earlier } = registered ?? {};
  if (registered !== null && JSON.stringify(earlier) === JSON.stringify(entry)) return;
  const now = new Date(deps.nowMs()).toISOString();
  await deps.objects.put(deps.buckets.registry, key, encodeJson(registryEntry.parse({ ...entry, publishedAt: now })));
}

/** @returns null where there is none, or none that can be read: it is written anew then */
async function registeredEntry({ objects, buckets }: StageDependencies, key: string): Promise<RegistryEntry | null> {
  try {
    return parseJson(await objects.get(buckets.registry, key, MAX_ENTRY_BYTES), key, registryEntry);
  } catch (cause) {
    if (cause instanceof InvalidInputError && cause.code !== "ACCESS_DENIED") return null;
    throw cause;
  }
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
    scenario: nameScenario(plan),
    method: spec.method,
    distillation: spec.distillation,
    seed: spec.seed,
    rounds: spec.rounds,
    simulation: spec.simulation,
    parties: plan.parties.map(({ id, vocabularySize, contextTokens }) => ({ id, vocabularySize, contextTokens })),
    sets: spec.evaluation.map(({ name, owner, task }) => ({ name, owner: owner ?? null, task })),
    publicSamples: plan.public.samples,
    baselines: [],
    variants: [],
    stopped: reason === null ? null : { afterRound: rounds.length, reason },
    scores: [],
    transfers: [],
    selections: [],
    training: [],
    gates: [],
    adapters: plan.parties
      .filter(({ id }) => lastRoundOf(spec, id, rounds.length) !== null)
      .map(({ id }) => ({ party: id, folder: `adapters/${id}` })),
  };
  for (const { party, baseline } of plan.machine.baselines)
    summary.scores.push(
      ...namedByWho(spec, party, await readScores(deps, artefactKeys.baseline(run, party, baseline))),
    );
  let stopped = reason;
  for (const name of plan.machine.variants) {
    const closed = stopped === null ? await readClosedRounds(deps, variantPlan(plan, name)) : [];
    stopped = closed.at(-1)?.stopped ?? stopped;
    summary.variants.push({ name, rounds: closed.length, stopped: closed.length < spec.rounds ? stopped : null });
    // one of fewer rounds than the run's own says nothing of it
    if (closed.length === spec.rounds) summary.scores.push(...closed.flatMap(({ scores }) => scores));
  }
  const left = summary.variants.filter((variant) => variant.rounds < spec.rounds).map(({ name }) => name);
  if (plan.machine.baselines.length > 0)
    summary.baselines = [...new Set<string>(["zero-shot", ...spec.baselines])].filter((name) => !left.includes(name));
  for (const measured of rounds)
    for (const name of ["scores", "transfers", "selections", "training", "gates"] as const)
      (summary[name] as unknown[]).push(...measured[name]);
  return summary;
}

/** A baseline's scores under every name that asked for its job: see {@link planBaselines}. */
function namedByWho({ baselines }: RunSpec, party: string, scores: readonly Score[]): Score[] {
  const withoutDistillation = party === SERVER.id ? WITHOUT_DISTILLATION.server : WITHOUT_DISTILLATION.clients;
  return scores.flatMap((score) => {
    const names = [
      ...(score.variant === "zero-shot" || baselines.some((name) => name === score.variant) ? [score.variant] : []),
      ...(score.variant === withoutDistillation && baselines.includes("no-distillation") ? ["no-distillation"] : []),
    ];
    return names.map((variant) => ({ ...score, variant }));
  });
}
