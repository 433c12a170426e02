import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import { MAX_CONTEXT, MAX_VOCABULARY } from "../../../shared/src/core/model-limits.ts";
import { parseArchitecture } from "../../../shared/src/engine/architectures/parse-architecture.ts";
import { openCheckpoint } from "../../../shared/src/engine/checkpoint.ts";
import { freshLoraBank, loadLoraBank, saveBank } from "../../../shared/src/engine/lora-bank.ts";
import { parseModelConfig } from "../../../shared/src/formats/model-config.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { TOY_CONFIG, TOY_LORA, toyFolder, toyOptions, toySamples, withModel } from "./toy-model.ts";

const utf8 = (value: object) => new TextEncoder().encode(JSON.stringify(value));

/** The weights of a toy folder, changed. */
function rewriteWeights(folder: string, change: (tensors: Record<string, Tensor>) => void): void {
  const path = join(folder, "model.safetensors");
  const tensors = Object.fromEntries(readSafetensors(new Uint8Array(readFileSync(path)), path).tensors);
  change(tensors);
  writeFileSync(path, writeSafetensors(tensors));
}

function expectRefusal(action: () => unknown, code: string, ...parts: string[]): void {
  let error: unknown = null;
  try {
    action();
  } catch (thrown) {
    error = thrown;
  }
  expectInvalid(error, code, ...parts);
}

function expectInvalid(error: unknown, code: string, ...parts: string[]): void {
  expect(error).toBeInstanceOf(InvalidInputError);
  expect(error).toMatchObject({ name: "InvalidInputError", code });
  for (const part of parts) expect((error as Error).message).toContain(part);
}

describe("a model folder", () => {
  it("without a config.json is refused with the file's name", () => {
    const folder = toyFolder();
    rmSync(join(folder, "config.json"));
    expectRefusal(() => openCheckpoint(folder), "MODEL_FILE_MISSING", join(folder, "config.json"), "found none");
  });

  it("without weights is refused with the file's name", () => {
    const folder = toyFolder();
    rmSync(join(folder, "model.safetensors"));
    expectRefusal(() => openCheckpoint(folder), "MODEL_FILE_MISSING", join(folder, "model.safetensors"));
  });

  it("with a truncated weights file is refused with the bytes that are missing", () => {
    const folder = toyFolder();
    const path = join(folder, "model.safetensors");
    const bytes = readFileSync(path).length;
    truncateSync(path, bytes - 100);
    expectRefusal(() => openCheckpoint(folder), "SAFETENSORS_TRUNCATED", path, "tensor", `${bytes}`, "100 missing");
  });

  it("that lacks a tensor is refused with its name", () => {
    const folder = toyFolder();
    rewriteWeights(folder, (tensors) => {
      delete tensors["model.layers.1.mlp.up_proj.weight"];
    });
    expectRefusal(
      () => openCheckpoint(folder),
      "MODEL_WEIGHTS_INVALID",
      join(folder, "model.safetensors"),
      "model.layers.1.mlp.up_proj.weight",
      "[24,16]",
      "got no such tensor",
    );
  });

  it("with a tensor of another shape is refused with both shapes", () => {
    const folder = toyFolder();
    rewriteWeights(folder, (tensors) => {
      tensors["model.norm.weight"] = { dtype: "F32", shape: [8], data: new Float32Array(8) };
    });
    expectRefusal(() => openCheckpoint(folder), "MODEL_WEIGHTS_INVALID", "model.norm.weight", "[16]", "got [8]");
  });

  it("with weights that are whole numbers is refused", () => {
    const folder = toyFolder();
    rewriteWeights(folder, (tensors) => {
      tensors["model.norm.weight"] = { dtype: "I32", shape: [16], data: new Int32Array(16) };
    });
    expectRefusal(() => openCheckpoint(folder), "MODEL_WEIGHTS_INVALID", "expected F32, F16, BF16, got I32");
  });

  it("is refused in the engine's thread by the same error", async () => {
    const folder = toyFolder({ model_type: "mamba" }, false);
    const error = await withModel({ folder }, async () => null).catch((reason: unknown) => reason);
    expectInvalid(error, "MODEL_CONFIG_INVALID", join(folder, "config.json"), "mamba");
  });

  it("whose weights are not finite is refused when it is scored or trained", async () => {
    const folder = toyFolder();
    rewriteWeights(folder, (tensors) => {
      tensors["model.norm.weight"] = { dtype: "F32", shape: [16], data: new Float32Array(16).fill(Number.NaN) };
    });
    await withModel({ folder }, async (model) => {
      const refused = (promise: Promise<unknown>) => promise.catch((reason: unknown) => reason);
      expectInvalid(await refused(model.score(toySamples(4), 1)), "MODEL_NOT_FINITE", folder);
      expectInvalid(await refused(model.train(toyOptions())), "TRAINING_DIVERGED", "step 1 of");
    });
  });

  it("whose weights the very last update breaks is refused, since no later step would see it", async () => {
    const training = { ...toyOptions().training, batchSize: 5, learningRate: 1e39 };
    await withModel({}, async (model) => {
      const reason = await model.train(toyOptions({ epochs: 1, training })).catch((error: unknown) => error);
      expectInvalid(reason, "TRAINING_DIVERGED", "after step 1 of 1: expected finite weights, got ");
    });
  });
});

describe("a config.json", () => {
  const cases: [string, Record<string, unknown>, string][] = [
    ["of another architecture", { model_type: "mamba" }, "model_type: expected one of llama, "],
    ["with another activation", { hidden_act: "gelu" }, 'hidden_act: expected "silu", got "gelu"'],
    ["without a size", { hidden_size: undefined }, "hidden_size: expected a whole number from 1 to"],
    ["with an absurd size", { num_hidden_layers: 1e9 }, "num_hidden_layers: expected a whole number from 1 to 1024"],
    ["with heads that do not fit", { num_key_value_heads: 3 }, "num_key_value_heads: expected a divisor"],
    ["with an odd head size", { head_dim: 5 }, "head_dim: expected an even number"],
    ["with a size that heads do not part", { hidden_size: 18 }, "hidden_size: expected a multiple"],
    ["with a flag that is none", { attention_bias: "yes" }, 'attention_bias: expected true or false, got "yes"'],
    ["with a negative θ", { rope_theta: -1 }, "rope_theta: expected a number above 0, got -1"],
  ];

  it.each(cases)("%s is refused", (_name, changes, message) => {
    const parse = () => parseArchitecture(utf8({ ...TOY_CONFIG, ...changes }), "folder/config.json");
    expect(parse).toThrow(InvalidInputError);
    expect(parse).toThrow(`folder/config.json: ${message}`);
  });

  it("that is no JSON object is refused", () => {
    expect(() => parseArchitecture(Uint8Array.of(0x7b), "config.json")).toThrow("expected JSON");
    expect(() => parseArchitecture(utf8([]), "config.json")).toThrow("expected an object");
  });

  it("is refused alike by the plan's reader and the engine's", () => {
    const refusal = (parse: (bytes: Uint8Array, what: string) => unknown, changes: object) => {
      try {
        parse(utf8({ ...TOY_CONFIG, ...changes }), "config.json");
        return null;
      } catch (error) {
        return (error as Error).message;
      }
    };
    for (const changes of [
      { vocab_size: MAX_VOCABULARY + 1 },
      { vocab_size: "29" },
      { max_position_embeddings: MAX_CONTEXT + 1 },
      { max_position_embeddings: null },
      { model_type: 7 },
    ]) {
      const refused = refusal(parseModelConfig, changes);
      expect(refused).not.toBeNull();
      expect(refusal(parseArchitecture, changes)).toBe(refused);
    }
    const most = { vocab_size: MAX_VOCABULARY, max_position_embeddings: MAX_CONTEXT };
    for (const parse of [parseModelConfig, parseArchitecture]) expect(refusal(parse, most)).toBeNull();
  });

  it("may have θ in either place", () => {
    const turnsOf = (changes: object) => {
      const { positional, attention } = parseArchitecture(utf8({ ...TOY_CONFIG, ...changes }), "config.json");
      const [, second] = positional.rotary.full.frequencies;
      return second ** (-attention.headSize / 2);
    };
    expect(turnsOf({ rope_theta: 5e5 })).toBeCloseTo(5e5);
    expect(turnsOf({ rope_parameters: { rope_type: "default", rope_theta: 2e4 } })).toBeCloseTo(2e4);
    expect(turnsOf({})).toBeCloseTo(1e4);
  });
});

describe("an adapter", () => {
  const architecture = parseArchitecture(utf8(TOY_CONFIG), "config.json");
  const changedAdapter = (change: (tensors: Record<string, Tensor>) => void) => {
    const bytes = saveBank(freshLoraBank(architecture, TOY_LORA, 1));
    const tensors = Object.fromEntries(readSafetensors(bytes, "adapter").tensors);
    change(tensors);
    return writeSafetensors(tensors);
  };
  const name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
  const cases: [string, (tensors: Record<string, Tensor>) => void, string][] = [
    ["that lacks a tensor", (tensors) => delete tensors[name], `expected the tensor ${name}`],
    [
      "of another rank",
      (tensors) => {
        tensors[name] = { dtype: "F32", shape: [4, 16], data: new Float32Array(64) };
      },
      "expected shape [2,16], got [4,16]",
    ],
    [
      "with a NaN",
      (tensors) => {
        tensors[name].data[3] = Number.NaN;
      },
      "expected finite numbers, got NaN at 3",
    ],
    [
      "with more than the settings say",
      (tensors) => {
        tensors.more = { dtype: "F32", shape: [1], data: new Float32Array(1) };
      },
      'got also "more"',
    ],
  ];

  it.each(cases)("%s is refused", (_name, change, message) => {
    const adapter = changedAdapter(change);
    expectRefusal(
      () => loadLoraBank(architecture, TOY_LORA, adapter, "the adapter"),
      "ADAPTER_INVALID",
      "the adapter",
      message,
    );
  });

  it("is named by the model that it was given for, not by the model's own file", async () => {
    const folder = toyFolder();
    const adapter = changedAdapter((tensors) => delete tensors[name]);
    const reason = await withModel({ folder, adapter }, async () => null).catch((error: unknown) => error);
    expectInvalid(reason, "ADAPTER_INVALID", `the adapter given for ${folder}: `);
  });
});

describe("what a model is asked", () => {
  it("refuses to train a frozen model, and LoRA where all weights are trained", async () => {
    const refused = (promise: Promise<unknown>) => promise.catch((reason: unknown) => reason);
    const frozen = withModel({ lora: null }, (model) => model.train(toyOptions()));
    expectInvalid(await refused(frozen), "MODEL_OPTIONS_INVALID", "frozen");
    const both = withModel({ trainable: "all" }, async () => null);
    expectInvalid(await refused(both), "MODEL_OPTIONS_INVALID", "no LoRA");
  });

  it("is checked before anything is done", async () => {
    await withModel({}, async (model) => {
      const refused = (promise: Promise<unknown>) => promise.catch((reason: unknown) => reason);
      const samples = toySamples(4, 4, 17);
      expectInvalid(await refused(model.train(toyOptions({ samples }))), "SAMPLE_INVALID", "sample 2");
      expectInvalid(await refused(model.score(samples, 1)), "SAMPLE_INVALID", "sample 2");
      expectInvalid(await refused(model.logits(Int32Array.of(29))), "SAMPLE_INVALID", "sample 0");
      expectInvalid(await refused(model.extract(samples, 2, 1)[Symbol.asyncIterator]().next()), "SAMPLE_INVALID");
    });
  });
});
