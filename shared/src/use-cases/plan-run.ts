import { controlKeys } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import { readRunSpec } from "../contracts/read-run-spec.ts";
import type { RunSpec } from "../contracts/run-spec.ts";
import type { PlannedRun, StageInput, StageOutput } from "../contracts/stages.ts";
import { countRun, STEP_FUNCTIONS_LIMITS } from "../core/cost/machine-states.ts";
import { InvalidInputError } from "../core/errors.ts";
import { dropDuplicateSamples } from "../core/samples/prepare-samples.ts";
import type { Sample } from "../core/samples/sample.ts";
import { writeQuestions, writeSamples } from "../formats/samples.ts";
import { sha256 } from "../formats/sha256.ts";
import { checkPrivatePlaces } from "./check-private-places.ts";
import { checkHeldOutSet, checkPublicSet } from "./check-samples.ts";
import { claimRun } from "./claim-run.ts";
import type { PlanDependencies, StageDependencies } from "./dependencies.ts";
import { planBaselines, SERVER } from "./plan-baselines.ts";
import { type PlannedParty, planParties } from "./plan-parties.ts";
import { readHeldOutSet, readQuestionSet, readSampleSet } from "./prepare-samples.ts";
import { writePlan } from "./write-plan.ts";
import { writeStatus } from "./write-status.ts";

/** Largest run.yaml. */
const MAX_SPEC_BYTES = 1024 * 1024;

/**
 * Takes a run: checks the spec and everything the parties share, cuts and hashes the public and the shared held-out sets,
 * takes the run's claim, writes plan.json, and tells the machine what to do. Planning the same upload again gives the same plan.
 * Where another execution has the run there is nothing to do, and nothing is written.
 * @throws InvalidInputError with every mistake found, `RUN_CHANGED` where the id is taken by another spec
 */
export function planRun(deps: PlanDependencies) {
  return async ({ bucket, key, execution }: StageInput<"plan-run">): Promise<StageOutput<"plan-run">> => {
    const bytes = await deps.objects.get(bucket, key, MAX_SPEC_BYTES);
    const spec = readRunSpec(new TextDecoder().decode(bytes), key);
    const run = spec.name;
    if (bucket !== deps.buckets.control || key !== controlKeys.spec(run))
      throw new InvalidInputError(
        "RUN_MISPLACED",
        `${key}: a run named "${run}" is uploaded as ${controlKeys.spec(run)}`,
      );
    if (!deps.readsLocalFiles) checkPrivatePlaces(spec);
    const parties = await planParties(deps, spec);
    const { samples, duplicates } = await readPublicSet(deps, spec);
    checkPublicSet(spec, parties, samples);
    const evaluation = await readEvaluation(deps, spec, parties);
    const publicBytes = writeSamples(samples);
    const shards = Math.ceil(samples.length / spec.samplesPerShard);
    const document: Plan = {
      version: 1,
      run,
      specHash: sha256(bytes),
      spec,
      parties: parties.map(({ tokenizer: _, ...party }) => party),
      public: {
        key: controlKeys.publicSet(run),
        hash: sha256(publicBytes),
        samples: samples.length,
        duplicates,
        shards,
        answerBytes: samples.reduce((sum, sample) => sum + new TextEncoder().encode(sample.answer).length, 0),
      },
      evaluation: evaluation.map(({ bytes: set, ...planned }) => ({ ...planned, hash: set && sha256(set) })),
      machine: machineOf(spec, parties, shards),
    };
    refuseLargeMachine(spec, document.machine, shards);

    // everything was looked at: only now is the run's id taken and anything written
    const taken = await claimRun(deps, { run, specHash: document.specHash, execution });
    if (taken !== null) return { run, taken, machine: null };
    await writeStatus(deps, { run, status: "RUNNING", execution });
    await writePlan(deps, document);
    await deps.objects.put(deps.buckets.control, document.public.key, publicBytes);
    for (const { key: setKey, bytes: set } of evaluation)
      if (setKey !== null && set !== null) await deps.objects.put(deps.buckets.control, setKey, set);
    return { run, taken: null, machine: document.machine };
  };
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

interface ReadSet {
  name: string;
  /** null where the set stays with its owner */
  key: string | null;
  bytes: Uint8Array | null;
}

/** Sets that nobody owns, and in a simulation all sets, are cut once here; an owner's own set stays where it is. */
async function readEvaluation(
  deps: StageDependencies,
  spec: RunSpec,
  parties: readonly PlannedParty[],
): Promise<ReadSet[]> {
  const sets: ReadSet[] = [];
  for (const { name, owner, task, data } of spec.evaluation) {
    const what = `evaluation ${name}`;
    if (owner !== undefined && !spec.simulation) {
      sets.push({ name, key: null, bytes: null });
      continue;
    }
    const key = controlKeys.evaluationSet(spec.name, name);
    if (task === "multiple-choice") {
      sets.push({ name, key, bytes: writeQuestions(await readQuestionSet(deps, data, spec.sampleBytes, what)) });
      continue;
    }
    const samples = await readHeldOutSet(deps, data, spec.sampleBytes, what);
    checkHeldOutSet(name, parties, samples);
    sets.push({ name, key, bytes: writeSamples(samples) });
  }
  return sets;
}

/** A state's input and output hold at most 256 KiB; the rest is for the machine's own words. */
const MAX_MACHINE_BYTES = 200 * 1024;

/** Of the events that an execution's history holds, a fifth is kept for retries and for machines that are taken away. */
const MAX_EVENTS = 0.8 * STEP_FUNCTIONS_LIMITS.events;

/** @throws InvalidInputError `RUN_TOO_LARGE`: better now than on the state machine, after hours of training */
function refuseLargeMachine({ rounds, aggregation }: RunSpec, machine: PlannedRun, shards: number): void {
  const clients = machine.clients.length;
  const { length: maps } = machine.maps;
  const { length: baselines } = machine.baselines;
  const averages = aggregation === "fedavg";
  const { longestHistory } = countRun({ rounds, clients, shards, maps, baselines, averages });
  const bytes = JSON.stringify(machine).length;
  const makes =
    bytes > MAX_MACHINE_BYTES
      ? `a state of ${bytes} bytes, over ${MAX_MACHINE_BYTES}`
      : longestHistory > MAX_EVENTS
        ? `a history of ${longestHistory} events, over ${MAX_EVENTS}`
        : null;
  if (makes !== null)
    throw new InvalidInputError(
      "RUN_TOO_LARGE",
      `${clients} clients and ${shards} shards in ${rounds} rounds make ${makes}; raise samplesPerShard, take fewer public samples, or make more runs of it`,
    );
}

function machineOf(spec: RunSpec, parties: readonly PlannedParty[], shards: number): PlannedRun {
  const clients = spec.clients.map(({ id, compute }) => ({ id, compute }));
  const directed = clients.map(({ id }) => ({ source: id, target: "server" }));
  const vocabulary = (id: string) => parties.find((party) => party.id === id)!.vocabularyHash;
  const pairs = new Map<string, { source: string; target: string }>();
  for (const pair of [...directed, ...directed.map(({ source, target }) => ({ source: target, target: source }))]) {
    const hashes = `${vocabulary(pair.source)} ${vocabulary(pair.target)}`;
    if (!pairs.has(hashes)) pairs.set(hashes, pair);
  }
  const eachShard = (source: string, target: string) =>
    Array.from({ length: shards }, (_, shard) => ({ source, target, shard }));
  return {
    run: spec.name,
    round: 1,
    clients,
    parties: [SERVER, ...clients],
    maps: [...pairs.values()],
    toServer: clients.flatMap(({ id }) => eachShard(id, "server")),
    toClients: clients.flatMap(({ id }) => eachShard("server", id)),
    baselines: planBaselines(spec),
    aggregation: spec.aggregation,
  };
}
