import { describe, expect, it } from "@jest/globals";
import { InvariantError } from "../../../shared/src/core/errors.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import type { AdapterToLoad, GeneratedToken, GenerateOptions, Model } from "../../../shared/src/ports/engine.ts";
import { type HashedAdapter, hashedAdapter } from "../../support/hashed-adapter.ts";
import { TOY_LORA, toyFolder, toyOptions, withModel } from "./toy-model.ts";

const CONTEXT = 2048;
const folder = toyFolder({ max_position_embeddings: CONTEXT, tie_word_embeddings: false });
const BASE = { folder, lora: null };
const ADAPTER: HashedAdapter = { rank: 3, alpha: 6, targets: ["q_proj", "down_proj"], seed: 5 };
const loadable = (changes: Partial<HashedAdapter> = {}) => hashedAdapter(folder, { ...ADAPTER, ...changes }, 0.5);

const GENERATE: GenerateOptions = {
  prompt: Int32Array.of(1, 5, 9),
  maxTokens: 20,
  temperature: 0,
  topK: null,
  topP: null,
  seed: 1,
  stop: [],
};

async function generated(model: Model, options: Partial<GenerateOptions> = {}): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  for await (const token of model.generate({ ...GENERATE, ...options })) tokens.push(token);
  return tokens;
}

const idsOf = (tokens: readonly GeneratedToken[]) => tokens.map(({ id }) => id);
const promptOf = (text: number, length: number) =>
  Int32Array.from({ length }, (_, at) => (at === 0 ? 1 : (at * at * 3 + at * text * 7 + 3) % 29));

/** Waits for what comes soon. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function changedAdapter(change: (tensors: Record<string, Tensor>) => void): AdapterToLoad {
  const adapter = loadable();
  const tensors = Object.fromEntries(readSafetensors(adapter.weights, "adapter").tensors);
  change(tensors);
  return { ...adapter, weights: writeSafetensors(tensors) };
}

describe("texts that are generated at once", () => {
  it("are those that come one by one: more than fit at once, of any lengths, drawn or likeliest, with tokens beside each", async () => {
    const asked: Partial<GenerateOptions>[] = Array.from({ length: 9 }, (_, text) => ({
      prompt: promptOf(text, 1 + ((text * 53) % 300)),
      maxTokens: 3 + text * 4,
      temperature: text % 3 === 0 ? 0 : 0.8,
      topP: text % 2 === 0 ? null : 0.9,
      topLogProbs: text % 4,
      seed: text,
    }));
    await withModel({ ...BASE, generation: { concurrent: 4, prefixBytes: 0 } }, async (model) => {
      const alone: GeneratedToken[][] = [];
      for (const options of asked) alone.push(await generated(model, options));
      const together = await Promise.all(asked.map((options) => generated(model, options)));
      for (const [text, tokens] of together.entries()) {
        expect(idsOf(tokens)).toEqual(idsOf(alone[text]));
        expect(tokens).toHaveLength(asked[text].maxTokens!);
        for (const [at, { logProb, top = [] }] of tokens.entries()) {
          expect(logProb).toBeCloseTo(alone[text][at].logProb, 5);
          expect(top.map(({ id }) => id)).toEqual((alone[text][at].top ?? []).map(({ id }) => id));
          expect(top).toHaveLength(asked[text].topLogProbs!);
        }
      }
    });
  });

  it("have their turn in the order in which they came, and say how many run and wait", async () => {
    await withModel({ ...BASE, generation: { concurrent: 2, prefixBytes: 0 } }, async (model) => {
      const ended: number[] = [];
      const begun: number[] = [];
      const follow = async (text: number) => {
        for await (const _ of model.generate({ ...GENERATE, maxTokens: 200 }))
          if (!begun.includes(text)) begun.push(text);
        ended.push(text);
      };
      const all = [0, 1, 2, 3].map(follow);
      // they come to the engine's thread one by one
      await until(() => model.generationState().waiting === 2 && model.generationState().running === 2);
      expect(model.generationState().keptTokens).toBeGreaterThan(2);
      await Promise.all(all);
      expect(begun).toEqual([0, 1, 2, 3]);
      expect(ended).toEqual([0, 1, 2, 3]);
      await until(() => model.generationState().running === 0);
      expect(model.generationState()).toMatchObject({ waiting: 0, keptTokens: 0 });
    });
  });

  it("keep coming while a long prompt is read", async () => {
    await withModel(BASE, async (model) => {
      const order: string[] = [];
      const follow = async (name: string, options: Partial<GenerateOptions>) => {
        for await (const _ of model.generate({ ...GENERATE, ...options })) order.push(name);
      };
      const short = follow("short", { maxTokens: 2000 });
      await until(() => order.length > 0);
      const long = follow("long", { prompt: promptOf(3, 2000), maxTokens: 1 });
      const before = order.length;
      await long;
      const meanwhile = order.indexOf("long") - before;
      // its 2000 tokens are read in 16 parts, with a token of the short text after each
      expect(meanwhile).toBeGreaterThan(10);
      await short;
    });
  });
});

describe("a text that nobody wants any more", () => {
  it("is ended by its signal, with the signal's reason, and costs nothing after that", async () => {
    await withModel(BASE, async (model) => {
      const control = new AbortController();
      const tokens: GeneratedToken[] = [];
      const follow = async () => {
        for await (const token of model.generate({ ...GENERATE, maxTokens: 2000, signal: control.signal })) {
          tokens.push(token);
          if (tokens.length === 3) control.abort(new Error("the client went"));
        }
      };
      await expect(follow()).rejects.toThrow("the client went");
      expect(tokens).toHaveLength(3);
      await until(() => model.generationState().running === 0);
      expect(model.generationState().keptTokens).toBe(0);
      await expect(generated(model, { signal: control.signal })).rejects.toThrow("the client went");
    });
  });

  it("is ended where nobody reads it when the signal comes, while it waits, and where its loop is left", async () => {
    await withModel({ ...BASE, generation: { concurrent: 1, prefixBytes: 0 } }, async (model) => {
      const whole = await generated(model);
      const control = new AbortController();
      const long = { ...GENERATE, maxTokens: 2000 };
      const stream = model.generate({ ...long, signal: control.signal })[Symbol.asyncIterator]();
      await stream.next();
      const waiting = new AbortController();
      const never = generated(model, { ...long, signal: waiting.signal });
      await until(() => model.generationState().waiting === 1);
      waiting.abort();
      await expect(never).rejects.toMatchObject({ name: "AbortError" });
      await until(() => model.generationState().waiting === 0);
      control.abort();
      await until(() => model.generationState().running === 0);
      await expect(stream.next()).rejects.toMatchObject({ name: "AbortError" });
      for await (const _ of model.generate(long)) break;
      await until(() => model.generationState().running === 0);
      expect(await generated(model)).toEqual(whole);
    });
  });

  it("leaves those beside it as they are", async () => {
    await withModel(BASE, async (model) => {
      const asked = [0, 1, 2, 3].map((text) => ({ prompt: promptOf(text, 5 + text), maxTokens: 60 }));
      const alone = [];
      for (const options of asked) alone.push(idsOf(await generated(model, options)));
      const control = new AbortController();
      const leaving = (async () => {
        for await (const _ of model.generate({ ...GENERATE, maxTokens: 2000, signal: control.signal }));
      })();
      const others = asked.map((options) => generated(model, options));
      await until(() => model.generationState().running === 5);
      control.abort();
      await expect(leaving).rejects.toMatchObject({ name: "AbortError" });
      expect((await Promise.all(others)).map(idsOf)).toEqual(alone);
    });
  });
});

describe("a prompt that begins as a text before it", () => {
  const prefix = promptOf(7, 100);
  const prompts = [1, 2, 3].map((last) => Int32Array.from([...prefix, last, 4]));

  it("is not read again there, and continues as ever", async () => {
    const fresh = await withModel(BASE, async (model) => {
      const found = [];
      for (const prompt of prompts) found.push(await generated(model, { prompt }));
      expect(model.generationState()).toMatchObject({ prefixTokens: 0, reusedTokens: 0 });
      return found;
    });
    await withModel({ ...BASE, generation: { concurrent: 4, prefixBytes: 1e6 } }, async (model) => {
      expect(idsOf(await generated(model, { prompt: prompts[0] }))).toEqual(idsOf(fresh[0]));
      expect(model.generationState().reusedTokens).toBe(0);
      const rest = await Promise.all(prompts.slice(1).map((prompt) => generated(model, { prompt })));
      rest.forEach((tokens, at) => {
        expect(idsOf(tokens)).toEqual(idsOf(fresh[at + 1]));
        tokens.forEach(({ logProb }, index) => {
          expect(logProb).toBeCloseTo(fresh[at + 1][index].logProb, 5);
        });
      });
      expect(model.generationState().reusedTokens).toBeGreaterThanOrEqual(2 * 96);
      const said = Int32Array.from([...prompts[0], ...idsOf(fresh[0]), 8]);
      const { reusedTokens } = model.generationState();
      await generated(model, { prompt: said });
      // what was generated is known too, but for the last blocks' rest
      expect(model.generationState().reusedTokens - reusedTokens).toBeGreaterThanOrEqual(112);
      const before = model.generationState().reusedTokens;
      // the last token is always read
      expect(await generated(model, { prompt: prefix.subarray(0, 16) })).toHaveLength(20);
      expect(model.generationState().reusedTokens - before).toBe(15);
    });
  });

  it("is read again with another adapter, and after the adapter is gone or the model was trained", async () => {
    const open = { folder, lora: TOY_LORA, generation: { concurrent: 4, prefixBytes: 1e6 } };
    await withModel(open, async (model) => {
      const reused = async (options: Partial<GenerateOptions>) => {
        const before = model.generationState().reusedTokens;
        await generated(model, { prompt: prefix, ...options });
        return model.generationState().reusedTokens - before;
      };
      await model.loadAdapter("a", loadable());
      expect(await reused({})).toBe(0);
      expect(await reused({ adapter: null })).toBe(0);
      expect(await reused({ adapter: "a" })).toBe(0);
      expect(await reused({ adapter: "a" })).toBe(99);
      expect(await reused({})).toBe(99);
      await model.unloadAdapter("a");
      await model.loadAdapter("a", loadable());
      expect(await reused({ adapter: "a" })).toBe(0);
      await model.train(toyOptions({ epochs: 1 }));
      expect(await reused({})).toBe(0);
    });
  });

  it("takes no more memory than was given, whatever is generated", async () => {
    const tokenBytes = 2 * 2 * 2 * 4 * 4;
    await withModel({ ...BASE, generation: { concurrent: 4, prefixBytes: 200 * tokenBytes } }, async (model) => {
      for (let text = 0; text < 12; text++) {
        await generated(model, { prompt: promptOf(text + 1, 90) });
        expect(model.generationState().prefixTokens).toBeLessThanOrEqual(200);
      }
      expect(model.generationState().prefixTokens).toBe(192);
    });
  });
});

describe("an adapter at run time", () => {
  it("is what the model would be with it as its own, whatever it is loaded beside, and null is the base model", async () => {
    const lora = { ...TOY_LORA, rank: 3, alpha: 6, targets: [...ADAPTER.targets] };
    const adapter = loadable();
    const own = await withModel({ folder, lora, adapter: adapter.weights }, (model) => generated(model));
    const bare = await withModel(BASE, (model) => generated(model));
    expect(idsOf(own)).not.toEqual(idsOf(bare));
    await withModel({ folder, lora, adapter: adapter.weights }, async (model) => {
      await model.loadAdapter("same", adapter);
      await model.loadAdapter("other", loadable({ rank: 2, targets: ["v_proj", "up_proj"], seed: 9 }));
      const names = [undefined, null, "same", "other"] as const;
      const [first, base, same, other] = await Promise.all(names.map((name) => generated(model, { adapter: name })));
      expect(idsOf(first)).toEqual(idsOf(own));
      expect(idsOf(same)).toEqual(idsOf(own));
      expect(idsOf(base)).toEqual(idsOf(bare));
      expect(idsOf(other)).not.toEqual(idsOf(own));
      expect(idsOf(other)).not.toEqual(idsOf(bare));
    });
  });

  it("is refused to new texts once it is to be unloaded, and gone after the last text that uses it", async () => {
    await withModel({ ...BASE, generation: { concurrent: 4, prefixBytes: 1e6 } }, async (model) => {
      await model.loadAdapter("a", loadable());
      const whole = await generated(model, { adapter: "a", maxTokens: 400 });
      const last = generated(model, { adapter: "a", maxTokens: 400 });
      await until(() => model.generationState().running === 1);
      let isGone = false;
      const gone = model.unloadAdapter("a").then(() => {
        isGone = true;
      });
      await expect(generated(model, { adapter: "a" })).rejects.toMatchObject({
        name: "InvalidInputError",
        code: "GENERATION_INVALID",
        message: 'generation: adapter: expected one of [], which are loaded, got "a"',
      });
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(isGone).toBe(model.generationState().running === 0);
      expect(idsOf(await last)).toEqual(idsOf(whole));
      await gone;
      expect(model.generationState().prefixTokens).toBe(0);
      await model.unloadAdapter("a");
      await model.unloadAdapter("never there");
      await model.loadAdapter("a", loadable({ seed: 6 }));
      expect(idsOf(await generated(model, { adapter: "a" }))).not.toEqual(idsOf(whole).slice(0, 20));
    });
  });

  it("does not wait for texts that were given up", async () => {
    await withModel(BASE, async (model) => {
      await model.loadAdapter("a", loadable());
      for await (const _ of model.generate({ ...GENERATE, adapter: "a", maxTokens: 2000 })) break;
      await model.unloadAdapter("a");
      expect(await generated(model)).toHaveLength(20);
    });
  });

  it("is read in 16-bit floats too", async () => {
    await withModel(BASE, async (model) => {
      // numbers that 16 bits have exactly
      const bits = { BF16: (one: number) => new Uint16Array(Float32Array.of(one).buffer)[1], F16: halfOf };
      for (const dtype of ["BF16", "F16"] as const) {
        const rounded = changedAdapter((tensors) => {
          for (const [name, { shape, data }] of Object.entries(tensors))
            tensors[name] = { dtype: "F32", shape, data: Float32Array.from(data as Float32Array, eighths) };
        });
        const narrow = changedAdapter((tensors) => {
          for (const [name, { shape, data }] of Object.entries(tensors))
            tensors[name] = {
              dtype,
              shape,
              data: Uint16Array.from(data as Float32Array, (one) => bits[dtype](eighths(one))),
            };
        });
        await model.loadAdapter(`${dtype} as 32 bits`, rounded);
        await model.loadAdapter(dtype, narrow);
        expect(await generated(model, { adapter: dtype })).toEqual(
          await generated(model, { adapter: `${dtype} as 32 bits` }),
        );
      }
    });
  });

  const layer = "base_model.model.model.layers.0.self_attn.q_proj";
  const wrong: [string, () => AdapterToLoad, string][] = [
    [
      "whose tensors are another model's",
      () =>
        changedAdapter((tensors) => {
          tensors[`${layer}.lora_A.weight`] = { dtype: "F32", shape: [3, 15], data: new Float32Array(45) };
        }),
      `tensor ${layer}.lora_A.weight: expected shape [3,16], got [3,15]: is it of another model?`,
    ],
    [
      "that lacks half of a pair",
      () =>
        changedAdapter((tensors) => {
          delete tensors[`${layer}.lora_B.weight`];
        }),
      `expected the tensor ${layer}.lora_B.weight beside its other half, got none of that name`,
    ],
    [
      "of a layer that the model does not have",
      () =>
        changedAdapter((tensors) => {
          tensors["base_model.model.lm_head.lora_A.weight"] = {
            dtype: "F32",
            shape: [3, 16],
            data: new Float32Array(48),
          };
        }),
      'expected lora_A and lora_B of linear layers of a llama model, got "base_model.model.lm_head.lora_A.weight"',
    ],
    [
      "with NaN",
      () =>
        changedAdapter((tensors) => {
          (tensors[`${layer}.lora_A.weight`].data as Float32Array)[2] = Number.NaN;
        }),
      `tensor ${layer}.lora_A.weight: expected finite numbers, got NaN at 2`,
    ],
    [
      "by which other texts' numbers could become infinite",
      () =>
        changedAdapter((tensors) => {
          (tensors[`${layer}.lora_A.weight`].data as Float32Array)[3] = -1e20;
        }),
      `tensor ${layer}.lora_A.weight: expected numbers of at most ${1e18}, got ${Math.fround(-1e20)} at 3`,
    ],
    [
      "of whole numbers",
      () =>
        changedAdapter((tensors) => {
          tensors[`${layer}.lora_A.weight`] = { dtype: "I32", shape: [3, 16], data: new Int32Array(48) };
        }),
      `tensor ${layer}.lora_A.weight: expected F32, F16 or BF16, got I32`,
    ],
    ["without weights", () => ({ ...loadable(), weights: writeSafetensors({}) }), "expected weights, got none"],
    [
      "of another rank than it says",
      () => ({ ...loadable(), rank: 4 }),
      `tensor ${layer}.lora_A.weight: expected shape [4,16], got [3,16]: is it of another model?`,
    ],
    ["of rank 0", () => ({ ...loadable(), rank: 0 }), "expected a rank of at least 1, got 0"],
    [
      "with an infinite alpha",
      () => ({ ...loadable(), alpha: Number.POSITIVE_INFINITY }),
      "expected a finite alpha, got Infinity",
    ],
  ];

  it.each(wrong)("is refused %s, and its name stays free", async (_, adapter, reason) => {
    await withModel(BASE, async (model) => {
      await expect(model.loadAdapter("a", adapter())).rejects.toMatchObject({
        name: "InvalidInputError",
        code: "ADAPTER_INVALID",
        message: `adapter "a": ${reason}`,
      });
      await model.loadAdapter("a", loadable());
      await expect(model.loadAdapter("a", loadable())).rejects.toMatchObject({
        code: "ADAPTER_INVALID",
        message: 'adapter "a": expected a name that no loaded adapter has, got one that is taken',
      });
    });
  });

  it("that makes a text's numbers infinite ends that text alone", async () => {
    await withModel(BASE, async (model) => {
      const whole = await generated(model, { maxTokens: 50 });
      const huge = changedAdapter((tensors) => {
        for (const [name, { data }] of Object.entries(tensors))
          (data as Float32Array).fill(name.includes("lora_A") ? 1e17 : 1e37);
      });
      await model.loadAdapter("huge", huge);
      const other = generated(model, { maxTokens: 50 });
      await expect(generated(model, { adapter: "huge" })).rejects.toMatchObject({
        name: "InvalidInputError",
        code: "MODEL_NOT_FINITE",
      });
      expect(idsOf(await other)).toEqual(idsOf(whole));
    });
  });
});

describe("what ends all texts", () => {
  it("is training, also for those that were asked for while it began", async () => {
    await withModel({ folder }, async (model) => {
      const before = generated(model, { maxTokens: 2000 });
      await until(() => model.generationState().running === 1);
      const trained = model.train(toyOptions({ epochs: 1 }));
      await expect(before).rejects.toMatchObject({ code: "GENERATION_LOST" });
      await trained;
      expect(await generated(model)).toHaveLength(20);
    });
  });

  it("is training's end too: what was asked for meanwhile began with weights that have changed", async () => {
    await withModel({ folder, lora: TOY_LORA }, async (model) => {
      let meanwhile: Promise<unknown> | null = null;
      const onProgress = () => {
        meanwhile ??= expect(generated(model)).rejects.toMatchObject({ code: "GENERATION_LOST" });
      };
      await model.train(toyOptions({ epochs: 40, onProgress }));
      expect(meanwhile).not.toBeNull();
      await meanwhile;
      const adapter = await model.adapter();
      const after = await generated(model);
      const anew = await withModel({ folder, lora: TOY_LORA, adapter }, (other) => generated(other));
      expect(idsOf(after)).toEqual(idsOf(anew));
      expect(after[0].logProb).toBeCloseTo(anew[0].logProb, 5);
    });
  });

  it("is the model's end, and nothing can be asked of it after that", async () => {
    await withModel({ ...BASE, generation: { concurrent: 1, prefixBytes: 0 } }, async (model) => {
      const texts = [generated(model, { maxTokens: 2000 }), generated(model, { maxTokens: 2000 })];
      await until(() => model.generationState().waiting === 1);
      const closed = model.close();
      for (const text of texts) await expect(text).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
      await closed;
      const error = new InvariantError("ENGINE_CLOSED", "the model has been closed");
      await expect(generated(model)).rejects.toEqual(error);
      await expect(model.loadAdapter("a", loadable())).rejects.toEqual(error);
      await model.unloadAdapter("a");
    });
  });

  it.each([
    [{ concurrent: 0, prefixBytes: 0 }, "generation.concurrent: expected a whole number from 1 to 1024, got 0"],
    [{ concurrent: 1025, prefixBytes: 0 }, "generation.concurrent: expected a whole number from 1 to 1024, got 1025"],
    [
      { concurrent: 1, prefixBytes: -1 },
      `generation.prefixBytes: expected a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, got -1`,
    ],
  ])("is not a limit that makes no sense: %j is refused", async (generation, message) => {
    await expect(withModel({ ...BASE, generation }, async () => {})).rejects.toMatchObject({
      code: "MODEL_OPTIONS_INVALID",
      message: `${folder}: ${message}`,
    });
  });
});

/** Multiples of 1/8 up to 1, which any float has. */
const eighths = (one: number) => Math.max(-8, Math.min(8, Math.round(one * 8))) / 8;

/** Bits in IEEE's half precision of a number that it has exactly. */
function halfOf(one: number): number {
  if (one === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(one)));
  const fraction = (Math.abs(one) / 2 ** exponent - 1) * 1024;
  return (one < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
}
