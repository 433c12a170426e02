import { FileMaterial } from "@fedmkt/shared/adapters/material/file-material.ts";
import { openTemplate } from "@fedmkt/shared/adapters/templates/open-template.ts";
import { openTokenizer } from "@fedmkt/shared/adapters/tokenizers/open-tokenizer.ts";
import { deriveVariant, variantsOf } from "@fedmkt/shared/contracts/derive-variant.ts";
import type { DataSpec, EvaluationSet, RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { dataLocations, partySpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { USUAL_ANSWER_TOKENS } from "@fedmkt/shared/contracts/score-metrics.ts";
import { encodeSample } from "@fedmkt/shared/core/alignment/encode-sample.ts";
import type { PartySize, RunSize } from "@fedmkt/shared/core/cost/run-size.ts";
import type { MultipleChoice } from "@fedmkt/shared/core/samples/multiple-choice.ts";
import { dropDuplicateSamples } from "@fedmkt/shared/core/samples/prepare-samples.ts";
import type { Sample } from "@fedmkt/shared/core/samples/sample.ts";
import { writeSamples } from "@fedmkt/shared/formats/samples.ts";
import type { StageDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { type BaselineJob, planBaselines } from "@fedmkt/shared/use-cases/plan-baselines.ts";
import { type PlannedParty, planParty } from "@fedmkt/shared/use-cases/plan-parties.ts";
import { readHeldOutSet, readQuestionSet, readSampleSet } from "@fedmkt/shared/use-cases/prepare-samples.ts";
import { TRAINS_ON } from "@fedmkt/shared/use-cases/run-baseline.ts";
import { isAtHand } from "../spec-locations.ts";
import { MemoryObjectStore } from "../validate/memory-object-store.ts";
import { type MeasuredModel, measureModel } from "./measure-model.ts";

/** What stands for a data set that lies where this machine does not look, or is not here yet. */
export const ASSUMED = {
  samples: 1_000,
  bytesPerToken: 4,
  /** of the longest sample: what is never cut is mostly shorter (ARC, BoolQ, CommonsenseQA: 0.16 to 0.37) */
  uncutShare: 0.35,
  choices: 4,
} as const;

export interface MeasuredRun {
  size: RunSize;
  /** the server first */
  parties: MeasuredParty[];
  /** what could not be looked at, and what stands for it */
  assumptions: string[];
}

export interface MeasuredParty extends Pick<MeasuredModel, "modelType" | "memoryBytes"> {
  id: string;
  /** of the longest sample, as it was reckoned with */
  tokens: number;
}

/** A set of texts: read, or guessed at. */
interface TextSet {
  samples: number;
  bytes: number;
  texts: readonly Sample[] | null;
}

/** Measures everything that a run's cost is reckoned from; the spec has been checked, its locations are absolute. */
export async function measureRun(spec: RunSpec): Promise<MeasuredRun> {
  const assumptions: string[] = [];
  const deps: StageDependencies = {
    objects: new MemoryObjectStore(),
    buckets: { control: "control", artefacts: "artefacts", registry: "registry" },
    material: new FileMaterial(),
    openTokenizer,
    openTemplate,
    progress: () => {},
  };
  const planned = new Map<string, PlannedParty>();
  for (const id of ["server", ...spec.clients.map((client) => client.id)])
    if (isAtHand(partySpec(spec, id).model, "model")) planned.set(id, await planParty(deps, spec, id));

  const readSet = async (what: string, data: DataSpec, read: () => Promise<Sample[]>, times = 1): Promise<TextSet> => {
    const { template } = data;
    if (dataLocations(data).every((place) => isAtHand(place, "file"))) return textSet(await read());
    const samples = data.samples ?? ASSUMED.samples;
    const bytes = Math.ceil(spec.sampleBytes * (template === undefined ? 1 : ASSUMED.uncutShare));
    const each = times === 1 ? "" : `, ${times} choices each`;
    assumptions.push(`${what}: not looked into; ${samples} samples of ${bytes} bytes${each}`);
    return { samples: samples * times, bytes: samples * times * bytes, texts: null };
  };
  const publicSet = joined(
    await inOrder(spec.public, (data, index) =>
      readSet(`public set ${index + 1}`, data, () => readSampleSet(deps, data, spec.sampleBytes, `public[${index}]`)),
    ),
  );
  const privateSets = await inOrder(spec.clients, ({ id, private: data }) =>
    readSet(`${id}'s private set`, data, () => readSampleSet(deps, data, spec.sampleBytes, `client ${id}: private`)),
  );
  const heldOut = await inOrder(spec.evaluation, (set) =>
    readSet(
      `held-out set ${set.name}`,
      set.data,
      () => readScored(deps, spec, set),
      set.task === "multiple-choice" ? ASSUMED.choices : 1,
    ),
  );

  const readValidation = (id: string, data: DataSpec) =>
    readSet(`${id}'s validation set`, data, () => readHeldOutSet(deps, data, spec.sampleBytes, `${id}: validation`));
  const parties: MeasuredParty[] = [];
  const sizeOf = async (id: string, index: number): Promise<PartySize> => {
    const party = planned.get(id);
    const { training, validation } = partySpec(spec, id);
    const tokens = (set: TextSet) => countTokens(set, party);
    const visible = spec.evaluation.flatMap(({ owner, task, maxTokens = USUAL_ANSWER_TOKENS }, place) => {
      if (owner !== undefined && owner !== id && !spec.simulation) return [];
      const set = heldOut[place];
      return [tokens(set).all + (task === "generation" ? set.samples * maxTokens : 0)];
    });
    const trained = index === 0 ? [publicSet] : [publicSet, privateSets[index - 1]];
    const longest = Math.max(...trained.map((set) => tokens(set).longest ?? spec.sampleBytes / ASSUMED.bytesPerToken));
    const { size, assumption, modelType, memoryBytes } = await measureModel(spec, id, Math.ceil(longest));
    if (assumption !== null) assumptions.push(assumption);
    parties.push({ id, modelType, memoryBytes, tokens: Math.ceil(longest) });
    const judged = validation && (await readValidation(id, validation));
    return {
      id,
      compute: index === 0 ? "ecs" : spec.clients[index - 1].compute,
      ...size,
      publicTokens: tokens(publicSet).all,
      publicPositions: spec.distillation.positions === "all" ? tokens(publicSet).all : tokens(publicSet).answer,
      privateTokens: index === 0 ? 0 : tokens(privateSets[index - 1]).all,
      heldOutTokens: visible.reduce((sum, held) => sum + held, 0),
      ...(judged && { validation: { tokens: tokens(judged).all, bytes: judged.bytes } }),
      privateEpochs: training.privateEpochs,
      publicEpochs: training.publicEpochs,
      ...(index > 0 && staysOf(spec, index - 1)),
    };
  };
  const server = await sizeOf("server", 0);
  const clients = await inOrder(spec.clients, ({ id }, index) => sizeOf(id, index + 1));
  return {
    assumptions,
    parties,
    size: {
      rounds: spec.rounds,
      publicSamples: publicSet.samples,
      publicBytes: publicSet.bytes,
      samplesPerShard: spec.samplesPerShard,
      topK: spec.distillation.topK,
      shardEncoding: spec.shardEncoding,
      maps: countMaps(spec, planned),
      direction: spec.distillation.direction,
      averages: spec.aggregation === "fedavg",
      heldOutSets: spec.evaluation.length,
      baselines: planBaselines(spec).map(({ party, baseline }) => {
        const trainsOn = TRAINS_ON[baseline as BaselineJob];
        return {
          ...{ party, trainsOnPrivate: trainsOn.private, trainsOnPublic: trainsOn.public },
          ...(baseline === "centralized" && { privateTokens: tokensOfAll(privateSets, planned.get(party)) }),
        };
      }),
      variants: variantsOf(spec).map((name) => {
        const { distillation, aggregation, clients: derived } = deriveVariant(spec, name);
        return {
          ...{ name, direction: distillation.direction, averages: aggregation === "fedavg" },
          trainsOnPublic: derived.some(({ training }) => training.publicEpochs > 0),
        };
      }),
      server,
      clients,
    },
  };
}

/** The rounds that a client takes part in, where the spec says so. */
function staysOf({ clients }: RunSpec, index: number): Pick<PartySize, "joinsAtRound" | "leavesAfterRound"> {
  const { joinsAtRound, leavesAfterRound } = clients[index];
  return { joinsAtRound, ...(leavesAfterRound !== undefined && { leavesAfterRound }) };
}

function tokensOfAll(sets: readonly TextSet[], party: PlannedParty | undefined): number {
  return sets.reduce((sum, set) => sum + countTokens(set, party).all, 0);
}

/** A question is scored once for each of its answers. */
async function readScored(deps: StageDependencies, spec: RunSpec, set: EvaluationSet): Promise<Sample[]> {
  const what = `evaluation ${set.name}`;
  if (set.task !== "multiple-choice") return readHeldOutSet(deps, set.data, spec.sampleBytes, what);
  const questions = await readQuestionSet(deps, set.data, spec.sampleBytes, what);
  return questions.flatMap(({ prompt, answers, line }: MultipleChoice) =>
    answers.map((answer): Sample => ({ id: new Uint8Array(16), prompt, answer, kind: "completion", line })),
  );
}

function textSet(texts: readonly Sample[]): TextSet {
  return { samples: texts.length, bytes: writeSamples(texts).length, texts };
}

function joined(sets: readonly TextSet[]): TextSet {
  const texts = sets.flatMap((set) => set.texts ?? []);
  if (sets.every((set) => set.texts !== null)) return textSet(dropDuplicateSamples(texts).samples);
  return {
    samples: sets.reduce((sum, { samples }) => sum + samples, 0),
    bytes: sets.reduce((sum, { bytes }) => sum + bytes, 0),
    texts: null,
  };
}

/** @returns longest: null where the texts were not read */
function countTokens(
  { texts, bytes }: TextSet,
  party: PlannedParty | undefined,
): { all: number; answer: number; longest: number | null } {
  if (texts === null || party === undefined) {
    const all = Math.ceil(bytes / ASSUMED.bytesPerToken);
    return { all, answer: all, longest: null };
  }
  const counted = { all: 0, answer: 0, longest: 0 };
  for (const text of texts) {
    const { ids, answer } = encodeSample(text, party.tokenizer, party.contextTokens, party.id);
    counted.all += ids.length;
    counted.answer += answer.reduce((sum, flag) => sum + flag, 0);
    counted.longest = Math.max(counted.longest, ids.length);
  }
  return counted;
}

/** Pairs of different vocabularies, in each direction of transfer; a model that was not looked at counts as having one of its own. */
function countMaps(spec: RunSpec, planned: ReadonlyMap<string, PlannedParty>): number {
  const vocabulary = (id: string) => planned.get(id)?.vocabularyHash ?? id;
  const { direction } = spec.distillation;
  const pairs = new Set<string>();
  for (const { id } of spec.clients) {
    if (direction === "both") pairs.add(`${vocabulary(id)} ${vocabulary("server")}`);
    if (direction !== "none") pairs.add(`${vocabulary("server")} ${vocabulary(id)}`);
  }
  return pairs.size;
}

async function inOrder<T, R>(items: readonly T[], work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (const [index, item] of items.entries()) done.push(await work(item, index));
  return done;
}
