import { encodeJson } from "../contracts/json-document.ts";
import { controlKeys } from "../contracts/keys.ts";
import { type PartyPlan, type Plan, plan } from "../contracts/plan.ts";
import { readRunSpec } from "../contracts/read-run-spec.ts";
import { partySpec, type RunSpec } from "../contracts/run-spec.ts";
import type { PlannedRun, StageInput, StageOutput } from "../contracts/stages.ts";
import { encodeSample } from "../core/alignment/encode-sample.ts";
import { InvalidInputError } from "../core/errors.ts";
import { dropDuplicateSamples } from "../core/samples/prepare-samples.ts";
import type { Sample } from "../core/samples/sample.ts";
import { parseModelConfig } from "../formats/model-config.ts";
import { writeQuestions, writeSamples } from "../formats/samples.ts";
import { sha256 } from "../formats/sha256.ts";
import { claimRun } from "./claim-run.ts";
import type { StageDependencies } from "./dependencies.ts";
import { MAX_CONFIG_BYTES, partyTokenizer } from "./party-tokenizer.ts";
import { readHeldOutSet, readQuestionSet, readSampleSet } from "./prepare-samples.ts";

/** Largest run.yaml. */
const MAX_SPEC_BYTES = 1024 * 1024;

/**
 * Takes a run: checks the spec and everything the parties share, cuts and hashes the public and the shared held-out sets,
 * writes plan.json, and tells the machine what to do. Planning the same upload again gives the same plan.
 * @throws InvalidInputError with every mistake found, `RUN_CHANGED` where the id is taken by another spec
 */
export function planRun(deps: StageDependencies) {
  return async ({ bucket, key }: StageInput<"plan-run">): Promise<StageOutput<"plan-run">> => {
    const bytes = await deps.objects.get(bucket, key, MAX_SPEC_BYTES);
    const spec = readRunSpec(new TextDecoder().decode(bytes), key);
    const run = spec.name;
    if (bucket !== deps.buckets.control || key !== controlKeys.spec(run))
      throw new InvalidInputError(
        "RUN_MISPLACED",
        `${key}: a run named "${run}" is uploaded as ${controlKeys.spec(run)}`,
      );
    const specHash = sha256(bytes);
    await claimRun(deps, run, specHash);

    const parties: PartyPlan[] = [];
    for (const id of ["server", ...spec.clients.map((client) => client.id)])
      parties.push(await planParty(deps, spec, id));
    refuseUnequalModels(spec, parties);

    const { samples: publicSet, duplicates } = await readPublicSet(deps, spec);
    await refuseLongSamples(deps, spec, parties, publicSet);
    const publicBytes = writeSamples(publicSet);
    await deps.objects.put(deps.buckets.control, controlKeys.publicSet(run), publicBytes);
    const shards = Math.ceil(publicSet.length / spec.samplesPerShard);

    const document: Plan = {
      version: 1,
      run,
      specHash,
      spec,
      parties,
      public: {
        key: controlKeys.publicSet(run),
        hash: sha256(publicBytes),
        samples: publicSet.length,
        duplicates,
        shards,
        answerBytes: publicSet.reduce((sum, sample) => sum + new TextEncoder().encode(sample.answer).length, 0),
      },
      evaluation: await planEvaluation(deps, spec),
      machine: machineOf(spec, parties, shards),
    };
    await deps.objects.put(deps.buckets.control, controlKeys.plan(run), encodeJson(plan.parse(document)));
    return document.machine;
  };
}

async function planParty(deps: StageDependencies, spec: RunSpec, id: string): Promise<PartyPlan> {
  const { model } = partySpec(spec, id);
  const config = await deps.material.read(`${model}/config.json`, MAX_CONFIG_BYTES);
  const { vocabularySize, contextTokens } = parseModelConfig(config, `${id}: ${model}/config.json`);
  const tokenizer = await partyTokenizer(deps, spec, id);
  const tokens = tokenizer.vocabulary.tokens.length;
  if (tokens > vocabularySize)
    throw new InvalidInputError(
      "VOCABULARY_TOO_LARGE",
      `${id}: ${model}/tokenizer.json has ${tokens} tokens, but the model has only ${vocabularySize} (vocab_size in config.json)`,
    );
  return { id, tokenizerHash: tokenizer.hash, configHash: sha256(config), vocabularySize, contextTokens };
}

/** FedAvg averages weights, which means something between equal models only. */
function refuseUnequalModels(spec: RunSpec, parties: readonly PartyPlan[]): void {
  if (spec.aggregation !== "fedavg") return;
  const clients = parties.filter((party) => party.id !== "server");
  const first = clients[0];
  const other = clients.find(
    (party) => party.configHash !== first.configHash || party.tokenizerHash !== first.tokenizerHash,
  );
  if (other)
    throw new InvalidInputError(
      "MODELS_DIFFER",
      `aggregation: fedavg averages equal models only, but config.json or tokenizer.json of ${other.id} differ from those of ${first.id}`,
    );
}

async function readPublicSet(
  deps: StageDependencies,
  spec: RunSpec,
): Promise<{ samples: Sample[]; duplicates: number }> {
  const joined: Sample[] = [];
  for (const [index, data] of spec.public.entries())
    joined.push(...(await readSampleSet(deps, data, spec.sampleBytes, `public[${index}]`)));
  if (joined.length === 0)
    throw new InvalidInputError("DATASET_EMPTY", "public: expected at least one sample, found none");
  return dropDuplicateSamples(joined);
}

/**
 * A token stands for at least one byte, save an added space, BOS and EOS: a party whose context holds sampleBytes and those
 * three fits every sample. For the others the public set is tokenised to find out.
 */
async function refuseLongSamples(
  deps: StageDependencies,
  spec: RunSpec,
  parties: readonly PartyPlan[],
  samples: readonly Sample[],
): Promise<void> {
  for (const party of parties.filter(({ contextTokens }) => contextTokens < spec.sampleBytes + 3)) {
    const tokenizer = await partyTokenizer(deps, spec, party.id);
    for (const sample of samples) encodeSample(sample, tokenizer, party.contextTokens, party.id);
  }
}

/** Sets that nobody owns, and in a simulation all sets, are cut once here; an owner's own set stays where it is. */
async function planEvaluation(deps: StageDependencies, spec: RunSpec): Promise<Plan["evaluation"]> {
  const planned: Plan["evaluation"] = [];
  for (const set of spec.evaluation) {
    if (set.owner !== undefined && !spec.simulation) {
      planned.push({ name: set.name, key: null, hash: null });
      continue;
    }
    const what = `evaluation ${set.name}`;
    const bytes =
      set.task === "text"
        ? writeSamples(await readHeldOutSet(deps, set.data, spec.sampleBytes, what))
        : writeQuestions(await readQuestionSet(deps, set.data, what));
    const key = controlKeys.evaluationSet(spec.name, set.name);
    await deps.objects.put(deps.buckets.control, key, bytes);
    planned.push({ name: set.name, key, hash: sha256(bytes) });
  }
  return planned;
}

function machineOf(spec: RunSpec, parties: readonly PartyPlan[], shards: number): PlannedRun {
  const clients = spec.clients.map(({ id }) => ({ id }));
  const directed = clients.map(({ id }) => ({ source: id, target: "server" }));
  const tokenizerHash = (id: string) => parties.find((party) => party.id === id)!.tokenizerHash;
  const pairs = new Map<string, { source: string; target: string }>();
  for (const pair of [...directed, ...directed.map(({ source, target }) => ({ source: target, target: source }))]) {
    const hashes = `${tokenizerHash(pair.source)} ${tokenizerHash(pair.target)}`;
    if (!pairs.has(hashes)) pairs.set(hashes, pair);
  }
  const eachShard = (source: string, target: string) =>
    Array.from({ length: shards }, (_, shard) => ({ source, target, shard }));
  return {
    run: spec.name,
    round: 1,
    clients,
    parties: parties.map(({ id }) => ({ id })),
    maps: [...pairs.values()],
    toServer: clients.flatMap(({ id }) => eachShard(id, "server")),
    toClients: clients.flatMap(({ id }) => eachShard("server", id)),
    baselines: baselinesOf(spec),
    aggregation: spec.aggregation,
  };
}

/** Where there is something to score on, every party is scored before the first round too, asked for or not. */
function baselinesOf(spec: RunSpec): PlannedRun["baselines"] {
  if (spec.evaluation.length === 0) return [];
  const clients = spec.clients.map(({ id }) => id);
  const wanted = new Set(["zero-shot", ...spec.baselines]);
  const partiesOf: Record<string, string[]> = {
    "zero-shot": ["server", ...clients],
    standalone: clients,
    "standalone+public": clients,
    "public-only": ["server"],
  };
  return [...wanted].flatMap((baseline) => partiesOf[baseline].map((party) => ({ party, baseline })));
}
