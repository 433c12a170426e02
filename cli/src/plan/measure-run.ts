import { statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { FileMaterial } from "@fedmkt/shared/adapters/material/file-material.ts";
import { openTokenizer } from "@fedmkt/shared/adapters/tokenizers/open-tokenizer.ts";
import type { Baseline, DataSpec, EvaluationSet, RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { partySpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { encodeSample } from "@fedmkt/shared/core/alignment/encode-sample.ts";
import type { PartySize, RunSize } from "@fedmkt/shared/core/cost/run-size.ts";
import type { MultipleChoice } from "@fedmkt/shared/core/samples/multiple-choice.ts";
import { dropDuplicateSamples } from "@fedmkt/shared/core/samples/prepare-samples.ts";
import type { Sample } from "@fedmkt/shared/core/samples/sample.ts";
import { openCheckpoint } from "@fedmkt/shared/engine/checkpoint.ts";
import { adaptedLinears } from "@fedmkt/shared/engine/lora-bank.ts";
import { modelFiles } from "@fedmkt/shared/formats/model-files.ts";
import { writeSamples } from "@fedmkt/shared/formats/samples.ts";
import type { StageDependencies } from "@fedmkt/shared/use-cases/dependencies.ts";
import { planBaselines } from "@fedmkt/shared/use-cases/plan-baselines.ts";
import { type PlannedParty, planParty } from "@fedmkt/shared/use-cases/plan-parties.ts";
import { readHeldOutSet, readQuestionSet, readSampleSet } from "@fedmkt/shared/use-cases/prepare-samples.ts";
import { TRAINS_ON } from "@fedmkt/shared/use-cases/run-baseline.ts";
import { isElsewhere } from "../spec-locations.ts";
import { MemoryObjectStore } from "../validate/memory-object-store.ts";

/** What stands for a model or data set that lies in S3 or at a site, where this machine does not look. */
export const ASSUMED = {
  serverParameters: 7e9,
  clientParameters: 1.3e9,
  vocabularySize: 32_000,
  samples: 1_000,
  bytesPerToken: 4,
  /** rank 8 on the attention's projections has about so many weights of a model's */
  adapterShare: 0.0012,
} as const;

export interface MeasuredRun {
  size: RunSize;
  /** what could not be looked at, and what stands for it */
  assumptions: string[];
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
    progress: () => {},
  };
  const planned = new Map<string, PlannedParty>();
  for (const id of ["server", ...spec.clients.map((client) => client.id)])
    if (!isElsewhere(partySpec(spec, id).model)) planned.set(id, await planParty(deps, spec, id));

  const readSet = async (what: string, data: DataSpec, read: () => Promise<Sample[]>): Promise<TextSet> => {
    if (![data.path, data.keepCharactersOf ?? data.path].some(isElsewhere)) return textSet(await read());
    const samples = data.samples ?? ASSUMED.samples;
    assumptions.push(`${what}: not looked into; ${samples} samples of ${spec.sampleBytes} bytes`);
    return { samples, bytes: samples * spec.sampleBytes, texts: null };
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
    readSet(`held-out set ${set.name}`, set.data, () => readScored(deps, spec, set)),
  );

  const sizeOf = async (id: string, index: number): Promise<PartySize> => {
    const party = planned.get(id);
    const { model, lora, training } = partySpec(spec, id);
    const tokens = (set: TextSet) => countTokens(set, party);
    const visible = spec.evaluation.flatMap(({ owner }, place) =>
      owner === undefined || owner === id || spec.simulation ? [heldOut[place]] : [],
    );
    if (party === undefined)
      assumptions.push(`${id}'s model: not looked into; ${assumedModel(id).parameters} parameters`);
    return {
      id,
      compute: index === 0 ? "ecs" : spec.clients[index - 1].compute,
      ...(party === undefined ? assumedModel(id) : await measureModel(model, lora)),
      vocabularySize: party?.vocabularySize ?? ASSUMED.vocabularySize,
      publicTokens: tokens(publicSet).all,
      publicPositions: spec.distillation.positions === "all" ? tokens(publicSet).all : tokens(publicSet).answer,
      privateTokens: index === 0 ? 0 : tokens(privateSets[index - 1]).all,
      heldOutTokens: visible.reduce((sum, set) => sum + tokens(set).all, 0),
      privateEpochs: training.privateEpochs,
      publicEpochs: training.publicEpochs,
    };
  };
  const server = await sizeOf("server", 0);
  const clients = await inOrder(spec.clients, ({ id }, index) => sizeOf(id, index + 1));
  return {
    assumptions,
    size: {
      rounds: spec.rounds,
      publicSamples: publicSet.samples,
      publicBytes: publicSet.bytes,
      samplesPerShard: spec.samplesPerShard,
      topK: spec.distillation.topK,
      shardEncoding: spec.shardEncoding,
      maps: countMaps(spec, planned),
      averages: spec.aggregation === "fedavg",
      heldOutSets: spec.evaluation.length,
      baselines: planBaselines(spec).map(({ party, baseline }) => {
        const trainsOn = TRAINS_ON[baseline as Baseline];
        return { party, trainsOnPrivate: trainsOn.private, trainsOnPublic: trainsOn.public };
      }),
      server,
      clients,
    },
  };
}

/** A question is scored once for each of its answers. */
async function readScored(deps: StageDependencies, spec: RunSpec, set: EvaluationSet): Promise<Sample[]> {
  const what = `evaluation ${set.name}`;
  if (set.task === "text") return readHeldOutSet(deps, set.data, spec.sampleBytes, what);
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

function countTokens({ texts, bytes }: TextSet, party: PlannedParty | undefined): { all: number; answer: number } {
  if (texts === null || party === undefined) {
    const all = Math.ceil(bytes / ASSUMED.bytesPerToken);
    return { all, answer: all };
  }
  const counted = { all: 0, answer: 0 };
  for (const text of texts) {
    const { ids, answer } = encodeSample(text, party.tokenizer, party.contextTokens, party.id);
    counted.all += ids.length;
    counted.answer += answer.reduce((sum, flag) => sum + flag, 0);
  }
  return counted;
}

type ModelSize = Pick<PartySize, "parameters" | "modelBytes" | "modelFiles" | "adapterBytes">;

async function measureModel(folder: string, lora: Parameters<typeof adaptedLinears>[1]): Promise<ModelSize> {
  const { architecture, parameters } = openCheckpoint(folder);
  const files = modelFiles(await readdir(folder), folder);
  const adapted = adaptedLinears(architecture, lora);
  const adapterWeights = adapted.reduce((sum, linear) => sum + lora.rank * (linear.in + linear.out), 0);
  return {
    parameters,
    modelBytes: files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0),
    modelFiles: files.length,
    adapterBytes: adapterWeights * Float32Array.BYTES_PER_ELEMENT,
  };
}

function assumedModel(id: string): ModelSize {
  const parameters = id === "server" ? ASSUMED.serverParameters : ASSUMED.clientParameters;
  return {
    parameters,
    modelBytes: 2 * parameters,
    modelFiles: 3,
    adapterBytes: parameters * ASSUMED.adapterShare * Float32Array.BYTES_PER_ELEMENT,
  };
}

/** Pairs of different vocabularies, each way; a model that was not looked at counts as having one of its own. */
function countMaps(spec: RunSpec, planned: ReadonlyMap<string, PlannedParty>): number {
  const vocabulary = (id: string) => planned.get(id)?.vocabularyHash ?? id;
  const pairs = new Set<string>();
  for (const { id } of spec.clients) {
    pairs.add(`${vocabulary(id)} ${vocabulary("server")}`);
    pairs.add(`${vocabulary("server")} ${vocabulary(id)}`);
  }
  return pairs.size;
}

async function inOrder<T, R>(items: readonly T[], work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (const [index, item] of items.entries()) done.push(await work(item, index));
  return done;
}
