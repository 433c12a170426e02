import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import { alibiSlopes } from "../../../shared/src/engine/architectures/bloom.ts";
import { initializeModel } from "../../../shared/src/engine/architectures/initialize-model.ts";
import { parseArchitecture } from "../../../shared/src/engine/architectures/parse-architecture.ts";
import { parseModelConfig } from "../../../shared/src/formats/model-config.ts";
import { readSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { TOY_CONFIG } from "./toy-model.ts";

type Fields = Record<string, unknown>;

/** What of each config.json matters, as it stands on the Hugging Face hub; older files have other names for some fields. */
const GPT2: Fields = {
  model_type: "gpt2",
  n_ctx: 1024,
  n_embd: 768,
  n_head: 12,
  n_layer: 12,
  n_positions: 1024,
  vocab_size: 50257,
};
const OPT: Fields = {
  model_type: "opt",
  hidden_size: 768,
  ffn_dim: 3072,
  num_attention_heads: 12,
  num_hidden_layers: 12,
  max_position_embeddings: 2048,
  vocab_size: 50272,
  word_embed_proj_dim: 768,
  do_layer_norm_before: true,
};
const OPT_350M: Fields = {
  ...OPT,
  hidden_size: 1024,
  ffn_dim: 4096,
  num_attention_heads: 16,
  num_hidden_layers: 24,
  word_embed_proj_dim: 512,
  do_layer_norm_before: false,
};
const BLOOM: Fields = {
  model_type: "bloom",
  n_embed: 1024,
  n_layer: 24,
  num_attention_heads: 16,
  vocab_size: 250880,
  seq_length: 2048,
};
const PYTHIA: Fields = {
  model_type: "gpt_neox",
  hidden_size: 512,
  intermediate_size: 2048,
  num_attention_heads: 8,
  num_hidden_layers: 6,
  max_position_embeddings: 2048,
  vocab_size: 50304,
  rotary_pct: 0.25,
  rotary_emb_base: 10000,
  hidden_act: "gelu",
  tie_word_embeddings: false,
};

const utf8 = (fields: Fields) => new TextEncoder().encode(JSON.stringify(fields));
const parse = (fields: Fields) => parseArchitecture(utf8(fields), "folder/config.json");

describe("a config.json of a decoder with layer norms", () => {
  it.each<[string, Fields, number, number]>([
    ["gpt2", GPT2, 124_439_808, 1024],
    ["opt-125m", OPT, 125_239_296, 2048],
    ["opt-350m", OPT_350M, 331_196_416, 2048],
    ["bloom-560m", BLOOM, 559_214_592, 2048],
    ["pythia-70m", PYTHIA, 70_426_624, 2048],
  ])("gives %s as many weights as transformers counts, and its context", (_, fields, parameters, context) => {
    const { weights, contextTokens } = parse(fields);
    expect(weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)).toBe(parameters);
    expect(contextTokens).toBe(context);
    expect(parseModelConfig(utf8(fields), "config.json").contextTokens).toBe(context);
  });

  it("means the same by newer and older names", () => {
    const same = (older: Fields, newer: Fields) => {
      const { positional, weights, attention } = parse(older);
      expect(parse(newer)).toMatchObject({ positional, weights, attention });
    };
    const { rotary_pct: _share, rotary_emb_base: _base, ...pythia } = PYTHIA;
    const rope_parameters = { rope_type: "default", rope_theta: 10000, partial_rotary_factor: 0.25 };
    same(PYTHIA, { ...pythia, rope_parameters });
    same(PYTHIA, pythia);
    same(BLOOM, { model_type: "bloom", hidden_size: 1024, n_layer: 24, n_head: 16, vocab_size: 250880 });
    const newNames = {
      hidden_size: 768,
      num_attention_heads: 12,
      num_hidden_layers: 12,
      max_position_embeddings: 1024,
    };
    same(GPT2, { model_type: "gpt2", vocab_size: 50257, ...newNames });
  });

  it("gives BLOOM, whose positions have no end, the context that it was trained on, unless it says another", () => {
    const { seq_length: _, ...endless } = BLOOM;
    expect(parse(endless).contextTokens).toBe(2048);
    expect(parse({ ...BLOOM, seq_length: 4096 }).contextTokens).toBe(4096);
  });

  it("turns the share of a head's coordinates that it says, by its own base", () => {
    const frequencies = (fields: Fields) => parse({ ...PYTHIA, ...fields }).positional.rotary.full.frequencies;
    expect(frequencies({})).toHaveLength(8);
    expect(frequencies({ rotary_pct: 1 })).toHaveLength(32);
    expect(frequencies({ rotary_emb_base: 100 })[4]).toBeCloseTo(0.1, 12);
  });

  it.each<[string, Fields, string]>([
    [
      "GPT-2 with cross-attention",
      { ...GPT2, add_cross_attention: true },
      "add_cross_attention: expected false, got true",
    ],
    [
      "GPT-2 with an unknown activation",
      { ...GPT2, activation_function: "mish" },
      'activation_function: expected "relu" or ',
    ],
    ["GPT-2 with heads that do not fit", { ...GPT2, n_head: 7 }, "n_embd: expected a multiple of n_head (7), got 768"],
    ["GPT-2 without a context", { ...GPT2, n_positions: null, n_ctx: null }, "n_positions: expected a whole number"],
    ["OPT without an MLP's size", { ...OPT, ffn_dim: undefined }, "ffn_dim: expected a whole number"],
    ["OPT with a flag that is none", { ...OPT, enable_bias: 1 }, "enable_bias: expected true or false, got 1"],
    ["BLOOM that leaves biases out", { ...BLOOM, slow_but_exact: true }, "slow_but_exact: expected false, got true"],
    [
      "BLOOM with heads that do not fit",
      { ...BLOOM, num_attention_heads: 3 },
      "n_embed: expected a multiple of num_attention_heads (3)",
    ],
    [
      "GPT-NeoX with stretched positions",
      { ...PYTHIA, rope_scaling: { type: "linear", factor: 2 } },
      'rope_scaling.rope_type: expected "default", got "linear"',
    ],
    [
      "GPT-NeoX with positions that are no object",
      { ...PYTHIA, rope_parameters: 3 },
      "rope_parameters: expected an object, got 3",
    ],
    [
      "GPT-NeoX with a base of 0",
      { ...PYTHIA, rope_parameters: { rope_theta: 0 } },
      "rope_parameters.rope_theta: expected a number above 0, got 0",
    ],
    [
      "GPT-NeoX that turns an odd number",
      { ...PYTHIA, rotary_pct: 0.05 },
      "rotary_pct: expected an even number of a head's 64 coordinates",
    ],
    [
      "GPT-NeoX that turns more than there is",
      { ...PYTHIA, rotary_pct: 1.5 },
      "rotary_pct: expected an even number of a head's 64 coordinates",
    ],
    ["any that looks ahead", { ...TOY_CONFIG, is_causal: false }, "is_causal: expected true, got false"],
  ])("is refused: %s", (_, fields, message) => {
    expect(() => parse(fields)).toThrow(InvalidInputError);
    expect(() => parse(fields)).toThrow(`folder/config.json: ${message}`);
  });
});

describe("ALiBi's slopes", () => {
  it("are powers of 2^(−8 / heads), and where these are no power of two every other one of twice as many follows", () => {
    expect(alibiSlopes(8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((power) => 2 ** -power));
    expect(alibiSlopes(3)).toEqual([0.0625, 0.00390625, 0.25]);
    const twelve = alibiSlopes(12);
    expect(twelve.slice(0, 8)).toEqual(alibiSlopes(8));
    expect(twelve.slice(8)).toEqual([0.5, 1.5, 2.5, 3.5].map((power) => 2 ** -power));
  });
});

describe("a fresh model", () => {
  const folder = resolve(import.meta.dirname, "../../golden/fixtures/architectures");

  it.each(readdirSync(folder))("has the tensors that transformers saves of %s, and biases at zero", (name) => {
    const read = (file: string) => new Uint8Array(readFileSync(resolve(folder, name, file)));
    const theirs = readSafetensors(read("model.safetensors"), name).tensors;
    const ours = readSafetensors(initializeModel(new TextDecoder().decode(read("config.json")), 1), name).tensors;
    const shapes = (tensors: typeof ours) =>
      Object.fromEntries([...tensors].map(([tensor, { shape }]) => [tensor, shape]));
    expect(shapes(ours)).toEqual(shapes(theirs));
    for (const [tensor, { data, shape }] of ours) {
      const values = [...(data as Float32Array)];
      if (shape.length === 2) expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(0.1);
      else if (tensor.endsWith(".bias")) expect(values.every((value) => value === 0)).toBe(true);
    }
  });
});
