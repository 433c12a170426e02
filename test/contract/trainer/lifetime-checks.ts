import { expect } from "@jest/globals";
import { processTreeMemory } from "../../../cli/src/local/process-tree-memory.ts";
import { TOY_LORA, toyFolder, toyOptions, toySamples } from "../../unit/engine/toy-model.ts";
import { BARE, type TrainerCheck, withModel } from "./check.ts";

/** Four megabytes of weights, so that a model that stays in memory shows. */
const LARGER = { vocab_size: 16_384, hidden_size: 64, intermediate_size: 64 };
const LARGER_BYTES = LARGER.vocab_size * LARGER.hidden_size * Float32Array.BYTES_PER_ELEMENT;
/** Rounds before the first measurement: allocators take what they need. */
const WARM_UP = 6;
const ROUNDS = 18;

export const LIFETIME_CHECKS: TrainerCheck[] = [
  {
    title: "stops training when the model is closed, and says so",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        let closed: Promise<void> | null = null;
        const onProgress = () => {
          closed ??= model.close();
        };
        await expect(model.train(toyOptions({ epochs: 1000, onProgress }))).rejects.toMatchObject({
          code: "ENGINE_CLOSED",
        });
        await closed;
      }),
  },
  {
    title: "ends training with what hearing of a step throws, and does other things afterwards",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        let heard = 0;
        const onProgress = () => {
          heard++;
          throw new Error("nobody listens");
        };
        await expect(model.train(toyOptions({ epochs: 10_000, onProgress }))).rejects.toThrow("nobody listens");
        expect(heard).toBe(1);
        expect(await model.score(toySamples(4), 1)).toHaveLength(1);
        expect((await model.train(toyOptions())).lossByEpoch).toHaveLength(2);
      }),
  },
  {
    title: "can be closed twice, and answers nothing afterwards",
    async run(engine) {
      const model = await withModel(engine, {}, async (open) => open);
      await model.close();
      await expect(model.adapter()).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
      await expect(model.train(toyOptions())).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
    },
  },
  {
    title: "holds several models at once that do not disturb each other",
    async run(engine) {
      const folders = [toyFolder(), toyFolder({ initializer_range: 0.2 })];
      const samples = toySamples(6, 7);
      const work = (folder: string) =>
        withModel(engine, { folder }, async (model) => {
          const before = await model.score(samples, 2);
          await model.train(toyOptions());
          return { before, after: await model.score(samples, 2), adapter: await model.adapter() };
        });
      const alone = [await work(folders[0]), await work(folders[1])];
      expect(await Promise.all(folders.map(work))).toEqual(alone);
      expect(alone[0].before).not.toEqual(alone[1].before);
    },
  },
  {
    title: "answers what it was asked at once, in order",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        const ended: string[] = [];
        const asked = [
          model.train(toyOptions()).then(() => ended.push("train")),
          model.score(toySamples(4), 1).then(() => ended.push("score")),
          model.adapter().then(() => ended.push("adapter")),
        ];
        await Promise.all(asked);
        expect(ended).toEqual(["train", "score", "adapter"]);
      }),
  },
  {
    title: "leaves the event loop free while it trains",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        let beats = 0;
        const heart = setInterval(() => beats++, 1);
        await model.train(toyOptions({ epochs: 30 }));
        clearInterval(heart);
        expect(beats).toBeGreaterThan(5);
      }),
  },
  {
    title: "gives the memory of closed models back",
    async run(engine) {
      const folder = toyFolder(LARGER);
      const use = async () => {
        const model = await engine.open({ ...BARE, folder, lora: TOY_LORA });
        await model.score(toySamples(4), 1);
        await model.close();
      };
      for (let round = 0; round < WARM_UP; round++) await use();
      const before = processTreeMemory();
      if (before === null) return; // no /proc
      for (let round = 0; round < ROUNDS; round++) await use();
      // half of what models that stayed would take
      expect(processTreeMemory()! - before).toBeLessThan((ROUNDS * LARGER_BYTES) / 2);
    },
  },
  {
    title: "closes all models with the engine, also one that is trained, and can be used again",
    async run(engine) {
      const open = () => engine.open({ ...BARE, folder: toyFolder(), lora: TOY_LORA });
      const [model, idle] = [await open(), await open()];
      let closed: Promise<void> | null = null;
      const onProgress = () => {
        closed ??= engine.close();
      };
      await expect(model.train(toyOptions({ epochs: 1000, onProgress }))).rejects.toMatchObject({
        code: "ENGINE_CLOSED",
      });
      await closed;
      await expect(idle.adapter()).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
      await withModel(engine, {}, async (again) => {
        expect(await again.score(toySamples(4), 1)).toHaveLength(1);
      });
    },
  },
];
