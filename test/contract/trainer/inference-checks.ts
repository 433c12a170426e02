import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect } from "@jest/globals";
import { readSafetensors, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import type { Engine, GenerateOptions, Model } from "../../../shared/src/ports/engine.ts";
import { distance, fixture, fixtures, samplesOf, type TrainingCase } from "../../golden/engine/fixture.ts";
import { TOY_CONFIG, toyFolder, toySamples } from "../../unit/engine/toy-model.ts";
import { collect, SAME_LOSS_NATS, TOLERANCE, type TrainerCheck, withModel } from "./check.ts";

interface InferenceCase {
  samples: TrainingCase["samples"];
  topK: number;
  logits: number[][];
  nats: number[];
  extracted: { positions: number[]; topIds: number[][]; topLogProbs: number[][] }[];
}

interface Continued {
  prompt: number[];
  ids: number[];
  logProbs: number[];
}

/** What transformers generated, of the same models. */
const continuations = JSON.parse(readFileSync(resolve(fixtures, "../generation/fixture.json"), "utf8"))
  .folders as Record<string, Continued[]>;

const GREEDY: Omit<GenerateOptions, "prompt"> = {
  maxTokens: 20,
  temperature: 0,
  topK: null,
  topP: null,
  seed: 0,
  stop: [],
};
const PROMPT = Int32Array.of(1, 5, 9);

const bare = <T>(engine: Engine, name: string, use: (model: Model) => Promise<T>) =>
  withModel(engine, { folder: resolve(fixtures, name), lora: null }, use);

const ofTransformers = Object.entries(fixture.inference as Record<string, InferenceCase>).flatMap(
  ([name, wanted]): TrainerCheck[] => [
    {
      title: `gives transformers' logits and losses of the ${name} model`,
      run: (engine) =>
        bare(engine, name, async (model) => {
          const logits = await model.logits(Int32Array.from(wanted.samples[0].ids));
          expect(distance(logits, wanted.logits.flat())).toBeLessThan(TOLERANCE);
          expect(distance(await model.score(samplesOf(wanted.samples), 2), wanted.nats)).toBeLessThan(TOLERANCE);
        }),
    },
    {
      title: `extracts the knowledge of the ${name} model, log-probabilities over the whole vocabulary`,
      run: (engine) =>
        bare(engine, name, async (model) => {
          const found = await collect(model.extract(samplesOf(wanted.samples), wanted.topK, 2));
          expect(found).toHaveLength(wanted.extracted.length);
          found.forEach(({ positions, topIds, topLogProbs, lossNats }, index) => {
            const { positions: at, topIds: ids, topLogProbs: logProbs } = wanted.extracted[index];
            expect([...positions]).toEqual(at);
            expect([...topIds]).toEqual(ids.flat());
            expect(distance(topLogProbs, logProbs.flat())).toBeLessThan(TOLERANCE);
            expect(distance([lossNats], [wanted.nats[index]])).toBeLessThan(TOLERANCE);
          });
        }),
    },
  ],
);

const ofGeneration = Object.entries(continuations)
  .filter(([folder]) => folder.startsWith("engine/"))
  .map(
    ([folder, wanted]): TrainerCheck => ({
      title: `continues texts as transformers does with the ${folder.slice("engine/".length)} model, the likeliest token each time`,
      run: (engine) =>
        bare(engine, join("..", folder), async (model) => {
          for (const { prompt, ids, logProbs } of wanted) {
            const options = { ...GREEDY, prompt: Int32Array.from(prompt), maxTokens: ids.length };
            const found = await collect(model.generate(options));
            expect(found.map(({ id }) => id)).toEqual(ids);
            expect(
              distance(
                found.map(({ logProb }) => logProb),
                logProbs,
              ),
            ).toBeLessThan(TOLERANCE);
          }
        }),
    }),
  );

export const INFERENCE_CHECKS: TrainerCheck[] = [
  ...ofTransformers,
  {
    title: "scores and extracts in the order of the samples, whatever the batch",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        const samples = toySamples(5, 12, 3, 8, 6);
        const together = await collect(model.extract(samples, 4, 5));
        const alone = await collect(model.extract(samples, 4, 1));
        const nats = await model.score(samples, 2);
        expect(together).toHaveLength(5);
        together.forEach((known, index) => {
          expect(known.positions).toEqual(alone[index].positions);
          expect(known.topIds).toEqual(alone[index].topIds);
          expect(Math.abs(known.lossNats - alone[index].lossNats)).toBeLessThan(SAME_LOSS_NATS);
          expect(Math.abs(known.lossNats - nats[index])).toBeLessThan(SAME_LOSS_NATS);
        });
        expect([...together[1].positions]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      }),
  },
  {
    title: "keeps no more than the vocabulary, and then all of the mass",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        const [known] = await collect(model.extract(toySamples(4), 1000, 1));
        expect(known.topIds).toHaveLength(3 * TOY_CONFIG.vocab_size);
        const whole = known.topLogProbs.subarray(0, TOY_CONFIG.vocab_size);
        expect(whole.reduce((sum, logProb) => sum + Math.exp(logProb), 0)).toBeCloseTo(1, 5);
      }),
  },
  {
    title: "orders equal log-probabilities by the lower id",
    run: async (engine) => {
      const folder = toyFolder();
      const path = join(folder, "model.safetensors");
      const { tensors } = readSafetensors(new Uint8Array(readFileSync(path)), path);
      const table = (tensors.get("model.embed_tokens.weight")!.data as Float32Array).slice();
      // every third token has the first one's row, so that their logits are equal
      for (let token = 3; token < TOY_CONFIG.vocab_size; token += 3) table.copyWithin(token * 16, 0, 16);
      const changed = Object.fromEntries(tensors);
      changed["model.embed_tokens.weight"] = { dtype: "F32", shape: [29, 16], data: table };
      writeFileSync(path, writeSafetensors(changed));
      await withModel(engine, { folder }, async (model) => {
        const known = await collect(model.extract(toySamples(9), 12, 1));
        let ties = 0;
        for (const { topIds, topLogProbs, positions } of known)
          for (let at = 0; at < positions.length * 12; at++) {
            if (at % 12 === 0) continue;
            expect(topLogProbs[at]).toBeLessThanOrEqual(topLogProbs[at - 1]);
            if (topLogProbs[at] !== topLogProbs[at - 1]) continue;
            ties++;
            expect(topIds[at]).toBeGreaterThan(topIds[at - 1]);
          }
        expect(ties).toBeGreaterThan(0);
      });
    },
  },
  {
    title: "pays nothing for a sample without answer tokens",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        const [sample, other] = toySamples(5, 6);
        sample.answer.fill(0);
        expect((await model.score([sample], 1))[0]).toBe(0);
        const [known, next] = await collect(model.extract([sample, other], 3, 2));
        expect(known).toMatchObject({ lossNats: 0 });
        expect(known.positions).toHaveLength(0);
        expect(next.positions).toHaveLength(5);
      }),
  },
  ...ofGeneration,
  {
    title: "ends a text at a stop token, which is not given out, at the most tokens, and at the context's end",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        const whole = (await collect(model.generate({ ...GREEDY, prompt: PROMPT }))).map(({ id }) => id);
        expect(whole).toHaveLength(TOY_CONFIG.max_position_embeddings - PROMPT.length);
        const short = await collect(model.generate({ ...GREEDY, prompt: PROMPT, maxTokens: 2 }));
        expect(short.map(({ id }) => id)).toEqual(whole.slice(0, 2));
        const stop = whole.at(-1)!;
        const stopped = await collect(model.generate({ ...GREEDY, prompt: PROMPT, stop: [stop] }));
        expect(stopped.map(({ id }) => id)).toEqual(whole.slice(0, whole.indexOf(stop)));
      }),
  },
  {
    title: "draws the same text for the same seed",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        const drawn = (seed: number) =>
          collect(model.generate({ ...GREEDY, temperature: 2, topK: 20, topP: 0.99, seed, prompt: PROMPT }));
        const first = await drawn(1);
        expect(await drawn(1)).toEqual(first);
        const others = await Promise.all([2, 3, 4].map(drawn));
        expect(others.some((other) => JSON.stringify(other) !== JSON.stringify(first))).toBe(true);
      }),
  },
  {
    title: "can be asked anew after a text was left in the middle",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        for await (const { logProb } of model.generate({ ...GREEDY, prompt: PROMPT })) {
          expect(logProb).toBeLessThan(0);
          break;
        }
        expect(await model.logits(Int32Array.of(1, 2))).toHaveLength(2 * TOY_CONFIG.vocab_size);
      }),
  },
  {
    title: "can be asked for other things, and closed, while nobody reads on in a text",
    run: (engine) =>
      withModel(engine, {}, async (model) => {
        const text = model.generate({ ...GREEDY, prompt: PROMPT })[Symbol.asyncIterator]();
        expect((await text.next()).value).toMatchObject({ id: expect.any(Number) });
        expect(await model.score(toySamples(4), 1)).toHaveLength(1);
        await model.close();
      }),
  },
];
