import { afterAll, describe, expect, it } from "@jest/globals";
import { createEngine } from "../../../shared/src/engine/engine.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { readTrainingState, writeTrainingState } from "../../../shared/src/formats/training-state.ts";
import type { Engine, Model, OpenModel, SampleKnowledge, TrainOptions } from "../../../shared/src/ports/engine.ts";
import { TRAINER_CHECKS } from "./trainer-conformance.ts";

const sound = createEngine();
afterAll(() => sound.close());

/** The engine with one thing of its models broken. */
function broken(change: (model: Model, options: OpenModel) => Partial<Model>): Engine {
  return {
    async open(options) {
      const model = await sound.open(options);
      return { ...model, ...change(model, options) };
    },
    close: () => sound.close(),
  };
}

function changeTensors(bytes: Uint8Array, change: (tensors: Record<string, Tensor>) => void): Uint8Array {
  const tensors = Object.fromEntries(readSafetensors(bytes, "adapter").tensors);
  change(tensors);
  return writeSafetensors(tensors, { format: "pt" });
}

/** A row's entries whose log-probabilities are equal, the other way round. */
function tiesReversed(known: SampleKnowledge): SampleKnowledge {
  const topIds = known.topIds.slice();
  for (let at = 1; at < topIds.length; at++)
    if (known.topLogProbs[at] === known.topLogProbs[at - 1])
      [topIds[at - 1], topIds[at]] = [known.topIds[at], known.topIds[at - 1]];
  return { ...known, topIds };
}

let noise = 0;

/** What is broken, in the words of the checks that must see it. */
const breakages: [string, (model: Model, options: OpenModel) => Partial<Model>, RegExp][] = [
  [
    "gives losses that are a tenth too large",
    (model) => ({ score: async (...asked) => (await model.score(...asked)).map((nats) => nats * 1.1) }),
    /transformers' logits and losses of the tied model/,
  ],
  [
    "tells of losses that are a tenth too large",
    (model) => ({
      train: (options) =>
        model.train({
          ...options,
          onProgress: (progress) => options.onProgress?.({ ...progress, loss: progress.loss * 1.1 }),
        }),
    }),
    /PyTorch's ten AdamW steps on PEFT's adapter: labels/,
  ],
  [
    "forgets the temperature",
    (model) => ({ train: (options) => model.train({ ...options, temperature: 1 }) }),
    /PEFT's adapter: tempered/,
  ],
  [
    "takes groups for tokens",
    (model) => ({
      train: (options) => {
        const targets = options.targets?.map((target) => target && { ...target, partition: -1 });
        return model.train({ ...options, ...(targets ? { targets } : {}) });
      },
    }),
    /PEFT's adapter: groups/,
  ],
  [
    "does not clip",
    (model) => ({ train: (options) => model.train({ ...options, training: { ...options.training, clipNorm: null } }) }),
    /PEFT's adapter: labels/,
  ],
  [
    "has one rate for all steps",
    (model) => ({
      train: (options) => model.train({ ...options, training: { ...options.training, schedule: "constant" } }),
    }),
    /PEFT's adapter: labels/,
  ],
  [
    "gives ties to the higher id",
    (model) => ({
      async *extract(...asked) {
        for await (const known of model.extract(...asked)) yield tiesReversed(known);
      },
    }),
    /equal log-probabilities by the lower id/,
  ],
  [
    "gives log-probabilities over the kept entries alone",
    (model) => ({
      async *extract(samples, topK, batchSize) {
        for await (const known of model.extract(samples, topK, batchSize)) {
          const kept = Math.min(topK, model.vocabularySize);
          const topLogProbs = known.topLogProbs.map((logProb, at, all) => {
            const row = all.subarray(at - (at % kept), at - (at % kept) + kept);
            return logProb - Math.log(row.reduce((sum, one) => sum + Math.exp(one), 0));
          });
          yield { ...known, topLogProbs };
        }
      },
    }),
    /extracts the knowledge of the tied model/,
  ],
  [
    "is another each time",
    (model) => ({ train: (options) => model.train({ ...options, seed: options.seed + ++noise }) }),
    /the same bytes for the same input/,
  ],
  [
    "forgets the moments when it resumes",
    (model) => ({
      train(options) {
        if (!options.checkpoint?.resume) return model.train(options);
        const state = readTrainingState(options.checkpoint.resume, "state");
        const { mean, variance } = state;
        const resume = writeTrainingState({ ...state, mean: mean.map(() => 0), variance: variance.map(() => 0) });
        return model.train({ ...options, checkpoint: { ...options.checkpoint, resume } });
      },
    }),
    /trains on labels to the same bytes after an interruption/,
  ],
  [
    "begins anew when it resumes",
    (model) => ({
      train: (options) =>
        model.train(options.checkpoint ? { ...options, checkpoint: { ...options.checkpoint, resume: null } } : options),
    }),
    /refuses the checkpoint of another training/,
  ],
  [
    "saves no note",
    (model) => ({
      train: (options) =>
        model.train(options.checkpoint ? { ...options, checkpoint: { ...options.checkpoint, note: "" } } : options),
    }),
    /saves what is done with the note/,
  ],
  [
    "names the adapter's tensors in its own way",
    (model) => ({
      adapter: async () =>
        changeTensors(await model.adapter(), (tensors) => {
          for (const name of Object.keys(tensors)) {
            tensors[name.replace("base_model.model.", "")] = tensors[name];
            delete tensors[name];
          }
        }),
    }),
    /an adapter by PEFT's names/,
  ],
  [
    "goes on being trained after it was closed",
    () => ({ close: async () => {} }),
    /stops training when the model is closed/,
  ],
  [
    "divides the knowledge's loss by what is taught, whatever it is told",
    (model) => ({ train: (options: TrainOptions) => model.train({ ...options, knowledgeMean: "taught" }) }),
    /divides a step's KD/,
  ],
  [
    "tells of every second step",
    (model) => ({
      train: (options: TrainOptions) =>
        model.train({
          ...options,
          onProgress: (progress) => (progress.step % 2 ? undefined : options.onProgress?.(progress)),
        }),
    }),
    /tells of each step once/,
  ],
  [
    "generates the stop token, too",
    (model) => ({ generate: (options) => model.generate({ ...options, stop: [] }) }),
    /ends a text at a stop token/,
  ],
];

describe("the suite of trainers", () => {
  it.each(breakages)("sees a trainer that %s", async (_, change, title) => {
    const check = Object.values(TRAINER_CHECKS)
      .flat()
      .find((one) => title.test(one.title));
    await expect(check!.run(sound)).resolves.toBeUndefined();
    await expect(check!.run(broken(change))).rejects.toThrow();
  });
});
