import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { RunSpecInput } from "../../shared/src/contracts/run-spec.ts";
import { initializeModel } from "../../shared/src/engine/architectures/initialize-model.ts";
import { byteLevelTokenizerJson, characterTokenizerJson, sentencePieceTokenizerJson } from "./tiny-tokenizers.ts";

/**
 * The smallest federation that is a real one: a server and two clients with random models of a few thousand parameters and
 * tokenizers of three kinds, a handful of sentences each. Everything in it runs in a second or two.
 */
const ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,";
const PIECES = ["th", "the", "an", "and", "sh", "shi", "ship", "wa", "war", "ward"];

const TOKENIZERS = {
  server: byteLevelTokenizerJson(["Ġt", "Ġth", "Ġthe", "an", "and", "er", "in", "on"]),
  ships: sentencePieceTokenizerJson(PIECES.flatMap((piece) => [`▁${piece}`, piece]).concat(["▁t", "▁a", "▁s", "▁w"])),
  wards: characterTokenizerJson(ALPHABET),
};

const SENTENCES = {
  ships: [
    "the ship and the shore",
    "a ship waits at the quay",
    "the ship sails and the crew sings",
    "ropes hold the ship",
  ],
  wards: [
    "the ward and the nurse",
    "a ward is quiet at night",
    "the ward opens and the doctor comes",
    "beds fill the ward",
  ],
  public: [
    "the ship passes the ward",
    "the nurse and the crew",
    "the doctor waits at the quay",
    "a quiet shore",
    "the ward and the ship",
  ],
};

/** A model folder with random weights. */
export function writeTinyModel(folder: string, tokenizer: object & { model?: unknown }, seed: number): void {
  mkdirSync(folder, { recursive: true });
  const { vocab } = tokenizer.model as { vocab: Record<string, number> | [string, number][] };
  const addedTokens = (tokenizer as { added_tokens: { id: number }[] }).added_tokens;
  const ids = Array.isArray(vocab) ? [vocab.length - 1] : Object.values(vocab);
  const size = Math.max(...ids, ...addedTokens.map(({ id }) => id)) + 1;
  const config = JSON.stringify({
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: 16,
    intermediate_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    vocab_size: size,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    hidden_act: "silu",
    tie_word_embeddings: true,
  });
  writeFileSync(join(folder, "config.json"), config);
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(join(folder, "model.safetensors"), initializeModel(config, seed));
}

export type TinySpec = RunSpecInput & { clients: NonNullable<RunSpecInput["clients"]> };

/** Writes models and data below `folder` and gives a spec of them with absolute paths, to be changed as a test likes. */
export function writeTinyFederation(folder: string): TinySpec {
  for (const [index, [party, tokenizer]] of Object.entries(TOKENIZERS).entries())
    writeTinyModel(join(folder, "models", party), tokenizer as { model: unknown }, index + 1);
  mkdirSync(join(folder, "data"), { recursive: true });
  for (const [name, sentences] of Object.entries(SENTENCES))
    writeFileSync(
      join(folder, "data", `${name}.jsonl`),
      sentences.map((text) => `${JSON.stringify({ text })}\n`).join(""),
    );
  const training = { learningRate: 1e-2, batchSize: 2, privateEpochs: 1, publicEpochs: 1 };
  const lora = { rank: 2, alpha: 4, targets: "all-linear" as const };
  const data = (name: string) => join(folder, "data", `${name}.jsonl`);
  return {
    name: "tiny",
    seed: 7,
    rounds: 2,
    simulation: true,
    sampleBytes: 48,
    samplesPerShard: 3,
    server: { model: join(folder, "models/server"), lora, training },
    clients: ["ships", "wards"].map((id) => ({
      id,
      model: join(folder, "models", id),
      private: data(id),
      lora,
      training,
    })),
    public: [data("public")],
    evaluation: ["ships", "wards"].map((id) => ({ name: id, data: data(id), owner: id })),
    distillation: { lambda: 0.5, topK: 16 },
    baselines: ["standalone", "standalone+public", "public-only"],
  };
}

export function specYaml(spec: RunSpecInput): Uint8Array {
  return new TextEncoder().encode(stringify(spec));
}
