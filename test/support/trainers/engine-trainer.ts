import { FrameReader, writeFrame } from "../../../shared/src/adapters/trainer/frames.ts";
import {
  TRAINER_PROTOCOL,
  TRAINER_PROTOCOL_VERSION,
  type TrainedTensor,
  type TrainerEvent,
  type TrainerReply,
  type TrainerRequest,
} from "../../../shared/src/contracts/trainer-protocol.ts";
import { FedmktError, InvariantError } from "../../../shared/src/core/errors.ts";
import { createEngine } from "../../../shared/src/engine/engine.ts";
import { identifyTraining } from "../../../shared/src/formats/identify-training.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { readTrainingState, writeTrainingState } from "../../../shared/src/formats/training-state.ts";
import type {
  EncodedSample,
  Model,
  OpenModel,
  SampleTarget,
  TrainOptions,
  TrainProgress,
} from "../../../shared/src/ports/engine.ts";

// The engine behind the protocol of docs/trainers.md: a second trainer for the tests, in a process of its own.

const frames = new FrameReader(process.stdin);
const engine = createEngine();
let model: Model | null = null;
let lora: OpenModel["lora"] = null;
let trained: TrainedTensor[] = [];

const say = (message: object, attached: Uint8Array[] = []) => {
  for (const part of writeFrame(message, attached)) process.stdout.write(part);
};

/** @returns what the other side says to it; "stop" where it is gone */
async function tell(event: TrainerEvent, attached: Uint8Array[] = []): Promise<TrainerReply> {
  say(event, attached);
  return ((await frames.read(0))?.message.do ?? "stop") as TrainerReply;
}

function goOn(reply: TrainerReply): void {
  if (reply === "stop") throw new InvariantError("ENGINE_CLOSED", "the trainer was told to stop");
}

const answers: {
  [Name in TrainerRequest["request"]]: (
    request: Extract<TrainerRequest, { request: Name }>,
    attached: Uint8Array[],
  ) => Promise<{ more?: object; attached?: Record<string, Tensor> | Uint8Array }>;
} = {
  async open({ folder, lora: wanted, seed, threads, trainable }, [adapter = null]) {
    lora = wanted;
    model = await engine.open({ folder, lora, adapter, seed, threads, trainable });
    const { vocabularySize, contextTokens, parameters, trainableParameters } = model;
    const bytes = trainableParameters === 0 ? null : await (lora ? model.adapter() : model.weights());
    trained = [...(bytes ? readSafetensors(bytes, "trained").tensors : [])]
      .map(([name, { shape }]) => ({ name, shape: [...shape] }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return { more: { vocabularySize, contextTokens, parameters, trained } };
  },
  async train({ request: _, resume, ...settings }, [lessons, state]) {
    const options = { ...settings, ...readLessons(lessons) };
    const belongsTo = identifyTraining(options, { entries: trained, lora });
    const progress: TrainProgress[] = [];
    const { steps, lossByEpoch } = await model!.train({
      ...options,
      onProgress: (done) => progress.push(done),
      checkpoint: {
        resume: resume === null ? null : resumedState(state, belongsTo, resume),
        note: "",
        isDue: () => true,
        // asked before every micro-batch and at the end: the moment to speak of everything
        async save(bytes) {
          const { step, ...numbers } = readTrainingState(bytes, "state");
          for (const done of progress.splice(0)) goOn(await tell({ event: "progress", ...done }));
          const reply = await tell({ event: "pause", step });
          goOn(reply);
          if (reply === "save") goOn(await tell({ event: "state", step }, [writeSafetensors(stateTensors(numbers))]));
        },
      },
    });
    return { more: { steps, lossByEpoch } };
  },
  async extract({ topK }, [samples]) {
    const { samples: batch } = readLessons(samples);
    const ids: number[] = [];
    const logProbs: number[] = [];
    const nats: number[] = [];
    for await (const known of model!.extract(batch, topK, batch.length)) {
      ids.push(...known.topIds);
      logProbs.push(...known.topLogProbs);
      nats.push(known.lossNats);
    }
    return {
      attached: {
        topIds: { dtype: "I32", shape: [ids.length], data: Int32Array.from(ids) },
        topLogProbs: { dtype: "F32", shape: [ids.length], data: Float32Array.from(logProbs) },
        nats: { dtype: "F64", shape: [nats.length], data: Float64Array.from(nats) },
      },
    };
  },
  async score(_, [samples]) {
    const { samples: batch } = readLessons(samples);
    const data = await model!.score(batch, batch.length);
    return { attached: { nats: { dtype: "F64", shape: [data.length], data } } };
  },
  async logits(_, [samples]) {
    const data = await model!.logits(readLessons(samples).samples[0].ids);
    return { attached: { logits: { dtype: "F32", shape: [data.length], data } } };
  },
  async generate({ request: _, ...settings }, [prompt]) {
    for await (const token of model!.generate({ ...settings, prompt: readLessons(prompt).samples[0].ids }))
      if ((await tell({ event: "token", ...token })) === "stop") break;
    return {};
  },
  adapter: async () => ({ attached: await model!.adapter() }),
  weights: async () => ({ attached: await model!.weights() }),
  async close() {
    await model?.close();
    model = null;
    return {};
  },
};

function readLessons(bytes: Uint8Array): Pick<TrainOptions, "samples" | "targets" | "partitions"> & {
  samples: EncodedSample[];
} {
  const { tensors } = readSafetensors(bytes, "lessons");
  const take = <T>(name: string) => tensors.get(name)?.data as T;
  let token = 0;
  const samples = Array.from(take<Int32Array>("lengths"), (length) => {
    const begin = token;
    token += length;
    const ids = take<Int32Array>("ids").slice(begin, token);
    return { ids, answer: take<Uint8Array>("answer").slice(begin, token), answerBytes: 0 };
  });
  if (!tensors.has("partition")) return { samples };
  let position = 0;
  let entry = 0;
  const targets = Array.from(take<Int32Array>("partition"), (partition, index): SampleTarget | null => {
    if (partition === -2) return null;
    const [first, begin] = [position, entry];
    position += take<Int32Array>("aligned")[index];
    const offsets = [0];
    for (const kept of take<Int32Array>("kept").subarray(first, position)) offsets.push(offsets.at(-1)! + kept);
    entry += offsets.at(-1)!;
    return {
      positions: take<Int32Array>("positions").slice(first, position),
      offsets: Int32Array.from(offsets),
      entries: take<Int32Array>("entries").slice(begin, entry),
      probabilities: take<Float32Array>("probabilities").slice(begin, entry),
      tail: take<Float32Array>("tail").slice(first, position),
      partition,
    };
  });
  const all = tensors.get("partitions");
  if (!all) return { samples, targets };
  const [groups, size] = all.shape;
  const partitions = Array.from({ length: groups }, (_, at) =>
    (all.data as Int32Array).slice(at * size, (at + 1) * size),
  );
  return { samples, targets, partitions };
}

type StateNumbers = Pick<
  ReturnType<typeof readTrainingState>,
  "values" | "mean" | "variance" | "lossByEpoch" | "epoch"
>;

function stateTensors({ values, mean, variance, lossByEpoch, epoch }: StateNumbers): Record<string, Tensor> {
  return {
    values: { dtype: "F32", shape: [values.length], data: values },
    mean: { dtype: "F32", shape: [mean.length], data: mean },
    variance: { dtype: "F32", shape: [variance.length], data: variance },
    loss_by_epoch: { dtype: "F64", shape: [lossByEpoch.length], data: Float64Array.from(lossByEpoch) },
    epoch: { dtype: "F64", shape: [2], data: Float64Array.of(epoch.weightedLoss, epoch.answers) },
  };
}

function resumedState(bytes: Uint8Array, belongsTo: string, step: number): Uint8Array {
  const { tensors } = readSafetensors(bytes, "state");
  const floats = (name: string) => tensors.get(name)!.data as Float32Array;
  const [weightedLoss, tokens] = tensors.get("epoch")!.data as Float64Array;
  return writeTrainingState({
    belongsTo,
    step,
    values: floats("values"),
    mean: floats("mean"),
    variance: floats("variance"),
    lossByEpoch: [...(tensors.get("loss_by_epoch")!.data as Float64Array)],
    epoch: { weightedLoss, answers: tokens },
    note: "",
  });
}

say({ protocol: TRAINER_PROTOCOL, version: TRAINER_PROTOCOL_VERSION, name: "engine" });
for (;;) {
  const frame = await frames.read(Number.MAX_SAFE_INTEGER);
  if (frame === null) break;
  const request = frame.message as unknown as TrainerRequest;
  try {
    const answer = await (answers[request.request] as (typeof answers)["close"])(request as never, frame.attached);
    const { more = {}, attached } = answer;
    const files =
      attached === undefined ? [] : [attached instanceof Uint8Array ? attached : writeSafetensors(attached)];
    say({ answer: request.request, ...more }, files);
  } catch (error) {
    const { name, code, message } =
      error instanceof FedmktError ? error : new InvariantError("TRAINER_FAILED", String(error));
    say({ failure: { name, code, message } });
  }
}
await engine.close();
