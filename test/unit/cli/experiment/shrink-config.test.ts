import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { writeSmallModel } from "../../../../cli/src/experiment/dry-run/write-small-model.ts";
import { openTokenizer } from "../../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { parseArchitecture } from "../../../../shared/src/engine/architectures/parse-architecture.ts";
import { openCheckpoint } from "../../../../shared/src/engine/checkpoint.ts";

const folder = mkdtempSync(join(tmpdir(), "fedmkt-small-models-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TEXTS = ["The ship waits at the quay.", "Who waits at the quay? The crew, and 12 nurses."];
const bytes = (value: object) => new TextEncoder().encode(JSON.stringify(value));

const gated = {
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  max_position_embeddings: 4096,
};

/** One config.json of each kind that is told apart, and what its small model must keep. */
const MODELS: Record<string, { config: Record<string, unknown>; heads: [number, number]; isByteLevel: boolean }> = {
  "LLaMA 2": {
    config: { ...gated, model_type: "llama", num_key_value_heads: 32, tie_word_embeddings: false },
    ...{ heads: [2, 2], isByteLevel: false },
  },
  "LLaMA 3, of grouped heads and a large vocabulary": {
    config: {
      ...gated,
      ...{ model_type: "llama", vocab_size: 128_256, num_key_value_heads: 8, head_dim: 128, tie_word_embeddings: true },
      rope_scaling: {
        rope_type: "llama3",
        factor: 32,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 8192,
      },
    },
    ...{ heads: [4, 2], isByteLevel: true },
  },
  "Mistral, of one window": {
    config: { ...gated, model_type: "mistral", num_key_value_heads: 8, sliding_window: 4096 },
    ...{ heads: [4, 2], isByteLevel: false },
  },
  "Qwen 2, of windows in later layers": {
    config: {
      ...{ ...gated, model_type: "qwen2", vocab_size: 151_936, num_key_value_heads: 4 },
      ...{ use_sliding_window: true, max_window_layers: 28, sliding_window: 4096 },
    },
    ...{ heads: [4, 2], isByteLevel: true },
  },
  "Qwen 3, whose heads are wider than its hidden size": {
    config: { ...gated, model_type: "qwen3", vocab_size: 151_936, num_key_value_heads: 8, head_dim: 128 },
    ...{ heads: [4, 2], isByteLevel: true },
  },
  "Gemma 2": {
    config: { ...gated, model_type: "gemma2", vocab_size: 256_000, num_key_value_heads: 4, head_dim: 256 },
    ...{ heads: [4, 2], isByteLevel: false },
  },
  "Gemma 3, of layers of both types": {
    config: {
      ...{ ...gated, model_type: "gemma3_text", vocab_size: 262_144, num_hidden_layers: 3, num_key_value_heads: 4 },
      layer_types: ["sliding_attention", "sliding_attention", "full_attention"],
    },
    ...{ heads: [4, 2], isByteLevel: false },
  },
  "Gemma 3, whose layers follow a pattern": {
    config: { ...gated, model_type: "gemma3_text", vocab_size: 262_144, num_key_value_heads: 4 },
    ...{ heads: [4, 2], isByteLevel: false },
  },
  "GPT-2, of an odd number of heads": {
    config: { model_type: "gpt2", vocab_size: 50_257, n_positions: 1024, n_embd: 1600, n_layer: 48, n_head: 25 },
    ...{ heads: [3, 3], isByteLevel: true },
  },
  "OPT, with narrower embeddings": {
    config: {
      ...{ model_type: "opt", vocab_size: 50_272, hidden_size: 1024, ffn_dim: 4096, num_hidden_layers: 24 },
      ...{
        num_attention_heads: 16,
        word_embed_proj_dim: 512,
        max_position_embeddings: 2048,
        do_layer_norm_before: false,
      },
    },
    ...{ heads: [2, 2], isByteLevel: true },
  },
  BLOOM: {
    config: { model_type: "bloom", vocab_size: 250_880, n_embed: 1536, n_layer: 24, n_head: 16 },
    ...{ heads: [2, 2], isByteLevel: true },
  },
  "GPT-NeoX, which turns a quarter of a head": {
    config: {
      ...{ ...gated, model_type: "gpt_neox", vocab_size: 50_432, hidden_size: 2048, num_attention_heads: 16 },
      ...{ intermediate_size: 8192, rotary_pct: 0.25 },
    },
    ...{ heads: [2, 2], isByteLevel: true },
  },
};

describe("a dry run's model", () => {
  it.each(Object.entries(MODELS))("is like %s, with two small layers", (name, { config, heads, isByteLevel }) => {
    const place = join(folder, name);
    const small = { config: bytes(config), what: name, texts: TEXTS, vocabularySize: 300, contextTokens: 100, seed: 1 };
    writeSmallModel(place, small);
    const { architecture } = openCheckpoint(place);
    const large = parseArchitecture(bytes(config), name);
    expect(architecture).toMatchObject({ modelType: large.modelType, blocks: 2, contextTokens: 100 });
    expect([architecture.attention.heads, architecture.attention.keyValueHeads]).toEqual(heads);
    expect(Object.keys(architecture.positional.masks)).toEqual(Object.keys(large.positional.masks));
    expect(architecture.targets).toEqual(large.targets);
    // the same weights but for their number of layers and their sizes: tied or not, with the same biases and norms
    const namesOf = ({ weights }: typeof large) =>
      new Set(weights.map((weight) => weight.name.replace(/\.\d+\./, ".*.")));
    expect(namesOf(architecture)).toEqual(namesOf(large));
    expect(architecture.hiddenSize).toBeLessThanOrEqual(32);

    const [json, own] = ["tokenizer.json", "config.json"].map((file) => readFileSync(join(place, file)));
    const { vocabulary, encode } = openTokenizer(json, own, name);
    expect(vocabulary.tokens.length).toBe(architecture.vocabularySize);
    expect(JSON.parse(json.toString()).pre_tokenizer?.type === "ByteLevel").toBe(isByteLevel);
    expect(vocabulary.roles.eos).not.toBeNull();
    // nothing is unknown, whatever the text
    expect(encode("Ünknown 日本").ids).not.toContain(vocabulary.roles.unknown);
  });

  it("has the same bytes for the same seed, and other weights for another", () => {
    const write = (name: string, seed: number) => {
      const { config } = MODELS.BLOOM;
      writeSmallModel(join(folder, name), {
        config: bytes(config),
        what: name,
        texts: TEXTS,
        vocabularySize: 300,
        contextTokens: 64,
        seed,
      });
      return ["config.json", "tokenizer.json", "model.safetensors"].map((file) =>
        readFileSync(join(folder, name, file)),
      );
    };
    const once = write("once", 1);
    expect(write("again", 1)).toEqual(once);
    const other = write("other", 2);
    expect(other.slice(0, 2)).toEqual(once.slice(0, 2));
    expect(other[2].equals(once[2])).toBe(false);
  });

  it("is refused where the engine does not have what it is to be like", () => {
    const config = bytes({ ...gated, model_type: "falcon" });
    const small = { config, what: "far/config.json", texts: TEXTS, vocabularySize: 300, contextTokens: 64, seed: 1 };
    expect(() => writeSmallModel(join(folder, "none"), small)).toThrow(
      /far\/config\.json: model_type: expected one of/,
    );
  });
});
