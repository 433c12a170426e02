import { variantsOf } from "../contracts/derive-variant.ts";
import { controlKeys } from "../contracts/keys.ts";
import type { Plan } from "../contracts/plan.ts";
import { readRunSpec } from "../contracts/read-run-spec.ts";
import type { RunSpec } from "../contracts/run-spec.ts";
import type { PlannedRun, StageInput, StageOutput } from "../contracts/stages.ts";
import { countRun, type RoundStates, STEP_FUNCTIONS_LIMITS } from "../core/cost/machine-states.ts";
import { InvalidInputError } from "../core/errors.ts";
import { dropDuplicateSamples } from "../core/samples/prepare-samples.ts";
import type { Sample } from "../core/samples/sample.ts";
import { writeQuestions, writeSamples } from "../formats/samples.ts";
import { sha256 } from "../formats/sha256.ts";
import { checkPrivatePlaces } from "./check-private-places.ts";
import { checkHeldOutSet, checkPublicSet } from "./check-samples.ts";
import { claimRun } from "./claim-run.ts";
import type { PlanDependencies, StageDependencies } from "./dependencies.ts";
import { planBaselines } from "./plan-baselines.ts";
import { type PlannedParty, planParties } from "./plan-parties.ts";
import { plannedRound, variantPlan } from "./plan-rounds.ts";
import { readHeldOutSet, readPromptSet, readQuestionSet, readSampleSet } from "./prepare-samples.ts";
import { readValidationSet } from "./validation-set.ts";
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
    if (!deps.readsLocalFiles) await checkPrivatePlaces(deps, spec);
    const parties = await planParties(deps, spec);
    const { samples, duplicates } = await readPublicSet(deps, spec);
    checkPublicSet(spec, parties, samples);
    const evaluation = await readEvaluation(deps, spec, parties);
    await checkServerValidation(deps, spec, parties, samples);
    const publicBytes = writeSamples(samples);
    const shards = Math.ceil(samples.length / spec.samplesPerShard);
    const document: Plan = {
      version: 2,
      run,
      variantOf: null,
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
    refuseLargeMachine(document);

    // everything was looked at: only now is the run's id taken and anything written
    const taken = await claimRun(deps, { run, specHash: document.specHash, execution });
    if (taken !== null) return { run, taken, machine: null };
    await writeStatus(deps, { run, status: "RUNNING", execution });
    await writePlan(deps, document);
    for (const variant of document.machine.variants) await writePlan(deps, variantPlan(document, variant));
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

/** The server's validation set is read again where it is used; its mistakes are told before anything runs. */
async function checkServerValidation(
  deps: StageDependencies,
  spec: RunSpec,
  parties: readonly PlannedParty[],
  publicSet: readonly Sample[],
): Promise<void> {
  const server = parties.filter(({ id }) => id === "server");
  const validation = await readValidationSet(deps, { spec }, "server", { public: publicSet });
  if (validation) checkHeldOutSet("validation", server, validation.samples);
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
    const read = task === "generation" ? readPromptSet : readHeldOutSet;
    const samples = await read(deps, data, spec.sampleBytes, what);
    checkHeldOutSet(what, parties, samples);
    sets.push({ name, key, bytes: writeSamples(samples) });
  }
  return sets;
}

/**
 * A state's input and output hold at most 256 KiB. The state that waits for a round gets the round's input and its output together,
 * each with its members; the rest is for the machine's own words.
 */
const MAX_ROUND_BYTES = 120 * 1024;
const MAX_MACHINE_BYTES = 200 * 1024;

/** Of the events that an execution's history holds, a fifth is kept for retries and for machines that are taken away. */
const MAX_EVENTS = 0.8 * STEP_FUNCTIONS_LIMITS.events;

/** @throws InvalidInputError `RUN_TOO_LARGE`: better now than on the state machine, after hours of training */
function refuseLargeMachine(plan: Plan): void {
  const { spec, machine } = plan;
  // one round at a time: together a long run's transfers would take gigabytes
  const rounds = [plan, ...machine.variants.map((variant) => variantPlan(plan, variant))].flatMap((one) =>
    Array.from({ length: spec.rounds }, (_, index) => {
      const round = plannedRound(one, index + 1);
      return { states: statesOf(round), bytes: JSON.stringify(round).length };
    }),
  );
  const size = {
    maps: machine.maps.length,
    baselines: machine.baselines.length,
    rounds: rounds.map(({ states }) => states),
  };
  const { longestHistory } = countRun(size);
  const roundBytes = Math.max(...rounds.map(({ bytes }) => bytes));
  const machineBytes = JSON.stringify(machine).length;
  const makes =
    roundBytes > MAX_ROUND_BYTES
      ? `a round's state of ${roundBytes} bytes, over ${MAX_ROUND_BYTES}`
      : machineBytes > MAX_MACHINE_BYTES
        ? `a state of ${machineBytes} bytes, over ${MAX_MACHINE_BYTES}`
        : longestHistory > MAX_EVENTS
          ? `a history of ${longestHistory} events, over ${MAX_EVENTS}`
          : null;
  if (makes !== null)
    throw new InvalidInputError(
      "RUN_TOO_LARGE",
      `${spec.clients.length} clients and ${plan.public.shards} shards in ${spec.rounds} rounds make ${makes}; raise samplesPerShard, take fewer public samples, or make more runs of it`,
    );
}

function statesOf({ round, direction, aggregation, begun, members }: PlannedRun["first"]): RoundStates {
  const { clients, parties, toServer, toClients } = members;
  return {
    clients: clients.length,
    parties: parties.length,
    toServer: toServer.length,
    toClients: toClients.length,
    direction,
    averages: aggregation === "fedavg",
    begun,
    extracts: round === 1 && !begun && direction !== "none",
  };
}

function machineOf(spec: RunSpec, parties: readonly PlannedParty[], shards: number): PlannedRun {
  const directed = spec.clients.map(({ id }) => ({ source: id, target: "server" }));
  const vocabulary = (id: string) => parties.find((party) => party.id === id)!.vocabularyHash;
  const pairs = new Map<string, { source: string; target: string }>();
  const { direction } = spec.distillation;
  const back = directed.map(({ source, target }) => ({ source: target, target: source }));
  for (const pair of [...(direction === "both" ? directed : []), ...(direction === "none" ? [] : back)]) {
    const hashes = `${vocabulary(pair.source)} ${vocabulary(pair.target)}`;
    if (!pairs.has(hashes)) pairs.set(hashes, pair);
  }
  const run = spec.name;
  return {
    run,
    maps: [...pairs.values()],
    baselines: planBaselines(spec),
    variants: variantsOf(spec),
    first: plannedRound({ run, spec, variantOf: null, public: { shards } }, 1),
  };
}
