import { rmSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { TOY_LORA, TOY_TRAINING, toyFolder, toyOptions, toySamples } from "../../unit/engine/toy-model.ts";
import { collect, expectRefusal, type TrainerCheck, withModel } from "./check.ts";

const changedAdapter = (adapter: Uint8Array, change: (tensors: Record<string, Tensor>) => void) => {
  const tensors = Object.fromEntries(readSafetensors(adapter, "adapter").tensors);
  change(tensors);
  return writeSafetensors(tensors);
};

export const REFUSAL_CHECKS: TrainerCheck[] = [
  {
    title: "refuses a folder without a model, or with one of an unknown kind, by its name",
    async run(engine) {
      const open = (folder: string) => () => withModel(engine, { folder }, async () => {});
      const without = toyFolder();
      rmSync(join(without, "model.safetensors"));
      await expectRefusal(open(without), "MODEL_FILE_MISSING", without);
      const bare = toyFolder({}, false);
      rmSync(join(bare, "config.json"));
      await expectRefusal(open(bare), "MODEL_FILE_MISSING", bare, "config.json");
      const unknown = toyFolder({ model_type: "no-such-model" }, false);
      await expectRefusal(open(unknown), "MODEL_CONFIG_INVALID", unknown, "no-such-model");
    },
  },
  {
    title: "refuses an adapter of another shape, with a tensor too few, or with NaN",
    async run(engine) {
      const folder = toyFolder();
      const adapter = await withModel(engine, { folder }, (model) => model.adapter());
      const name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
      const wrong = [
        changedAdapter(adapter, (tensors) => delete tensors[name]),
        changedAdapter(adapter, (tensors) => {
          tensors[name] = { dtype: "F32", shape: [4, 16], data: new Float32Array(64) };
        }),
        changedAdapter(adapter, (tensors) => {
          tensors[name].data[3] = Number.NaN;
        }),
        changedAdapter(adapter, (tensors) => {
          tensors.more = { dtype: "F32", shape: [1], data: new Float32Array(1) };
        }),
      ];
      for (const bytes of wrong)
        await expectRefusal(
          () => withModel(engine, { folder, adapter: bytes }, async () => {}),
          "ADAPTER_INVALID",
          folder,
        );
    },
  },
  {
    title: "refuses LoRA targets that the model lacks, and LoRA where all weights are trained",
    async run(engine) {
      const folder = toyFolder();
      const open = (changes: object) => () => withModel(engine, { folder, ...changes }, async () => {});
      const lora = { ...TOY_LORA, targets: ["no_such_layer"] };
      await expectRefusal(open({ lora }), "MODEL_OPTIONS_INVALID", "no_such_layer");
      await expectRefusal(open({ trainable: "all" }), "MODEL_OPTIONS_INVALID", folder);
    },
  },
  {
    title: "refuses samples that do not fit the model, before anything is done",
    async run(engine) {
      await withModel(engine, {}, async (model) => {
        const long = toySamples(4, 4, 17);
        await expectRefusal(() => model.train(toyOptions({ samples: long })), "SAMPLE_INVALID", "sample 2", "16");
        await expectRefusal(() => model.score(long, 1), "SAMPLE_INVALID", "sample 2");
        await expectRefusal(() => collect(model.extract(long, 2, 1)), "SAMPLE_INVALID", "sample 2");
        await expectRefusal(() => model.logits(Int32Array.of(29)), "SAMPLE_INVALID", "29");
        await expectRefusal(() => model.logits(new Int32Array(0)), "SAMPLE_INVALID");
        const [begins] = toySamples(5);
        begins.answer[0] = 1;
        await expectRefusal(() => model.score([begins], 1), "SAMPLE_INVALID", "nothing predicts it");
      });
    },
  },
  {
    title: "refuses knowledge beyond the vocabulary or out of order",
    async run(engine) {
      const target = {
        positions: Int32Array.of(0, 2),
        offsets: Int32Array.of(0, 1, 3),
        entries: Int32Array.of(4, 5, 6),
        probabilities: Float32Array.of(0.5, 0.2, 0.1),
        tail: Float32Array.of(0.5, 0.7),
        partition: -1,
      };
      await withModel(engine, {}, async (model) => {
        const wrong = [
          { ...target, entries: Int32Array.of(4, 5, 29) },
          { ...target, positions: Int32Array.of(2, 0) },
          { ...target, partition: 0 },
          { ...target, probabilities: Float32Array.of(0.5, Number.NaN, 0) },
        ];
        for (const one of wrong)
          await expectRefusal(
            () => model.train(toyOptions({ samples: toySamples(5), targets: [one], lambda: 0.5 })),
            "KNOWLEDGE_INVALID",
            "sample 0",
          );
      });
    },
  },
  {
    title: "refuses to generate from nothing or beyond the vocabulary",
    async run(engine) {
      const asked = { maxTokens: 2, temperature: 0, topK: null, topP: null, seed: 0, stop: [] };
      await withModel(engine, {}, async (model) => {
        for (const prompt of [new Int32Array(0), Int32Array.of(29)])
          await expectRefusal(() => collect(model.generate({ ...asked, prompt })), "GENERATION_INVALID", "prompt");
      });
    },
  },
  {
    title: "refuses to train a frozen model, and to hand out its adapter",
    async run(engine) {
      await withModel(engine, { lora: null }, async (model) => {
        await expectRefusal(() => model.train(toyOptions()), "MODEL_OPTIONS_INVALID");
        await expectRefusal(() => model.adapter(), "MODEL_OPTIONS_INVALID");
      });
    },
  },
  {
    title: "ends training whose weights become infinite, the last update's too",
    async run(engine) {
      const training = { ...TOY_TRAINING, batchSize: 5, learningRate: 1e39 };
      await withModel(engine, {}, async (model) => {
        await expectRefusal(() => model.train(toyOptions({ epochs: 1, training })), "TRAINING_DIVERGED", "step 1 of 1");
      });
    },
  },
];
