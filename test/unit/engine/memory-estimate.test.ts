import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "@jest/globals";
import { type Measurement, workloadCommand } from "../../../bench/engine/engine-workload.ts";
import { openCheckpoint } from "../../../shared/src/engine/checkpoint.ts";
import { estimateModel } from "../../../shared/src/engine/memory-estimate.ts";
import { itWithMaterial, itWithSmolLm2, material, smolLm2 } from "../../support/material.ts";
import { toyFolder } from "./toy-model.ts";

const LLAMA = {
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 8,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  vocab_size: 512,
  max_position_embeddings: 512,
  initializer_range: 0.02,
};
const BLOOM = {
  ...{ model_type: "bloom", n_head: 8, n_layer: 6, vocab_size: 512, hidden_size: 64, layer_norm_epsilon: 1e-5 },
  ...{ seq_length: 512, intermediate_size: undefined, num_hidden_layers: undefined, num_attention_heads: undefined },
};

/** What is trained, and in which way. */
interface Case {
  folder: string;
  batch: number;
  tokens: number;
  targets?: string[];
  /** of the positions that are trained */
  share?: number;
}

/** @returns the peak of a process of its own that trains two steps; and what the estimate says, both in bytes */
async function peakAndEstimate({ share = 1, ...model }: Case, activationCheckpointing: "off" | "on") {
  const { folder, batch, tokens, targets = ["q_proj", "v_proj"] } = model;
  const command = workloadCommand({
    ...{ kind: "train", ...model, share, topK: 128, threads: 1, steps: 1, activationCheckpointing },
  });
  const { stdout } = await promisify(execFile)(process.execPath, command);
  const { peakMemoryMib } = JSON.parse(stdout) as Measurement;
  const settings = { lora: { rank: 8, alpha: 16, dropout: 0, targets }, batch, tokens, headShare: share };
  const checkpointing = activationCheckpointing === "on";
  const { total } = estimateModel(openCheckpoint(folder).architecture, { ...settings, checkpointing }).memory;
  return { peak: peakMemoryMib * 2 ** 20, estimate: total };
}

async function expectNear(model: Case, mode: "off" | "on"): Promise<void> {
  const { peak, estimate } = await peakAndEstimate(model, mode);
  expect(estimate / peak).toBeGreaterThan(0.75);
  expect(estimate / peak).toBeLessThan(1.25);
}

describe("the estimate of memory", () => {
  it.each(["off", "on"] as const)("is near a small Llama's peak in long texts, checkpointing %s", async (mode) => {
    await expectNear({ folder: toyFolder(LLAMA), batch: 6, tokens: 448 }, mode);
  });

  it.each(["off", "on"] as const)("is near a BLOOM's peak in long texts, checkpointing %s", async (mode) => {
    await expectNear({ folder: toyFolder(BLOOM), batch: 6, tokens: 448, targets: ["query_key_value"] }, mode);
  });

  itWithMaterial.each([
    ["off", 2, 128],
    ["off", 4, 128],
    ["on", 4, 256],
    ["off", 8, 256],
  ] as const)("is near stories260k's peak, checkpointing %s, %s × %s tokens", async (mode, batch, tokens) => {
    await expectNear({ folder: join(material!, "models/stories260k"), batch, tokens }, mode);
  });

  itWithSmolLm2.each([
    ["off", 1],
    ["on", 1],
    ["off", 0.25],
  ] as const)("is near SmolLM2-135M's peak, checkpointing %s, %s of the positions trained", async (mode, share) => {
    await expectNear({ folder: smolLm2!, batch: 2, tokens: 128, share }, mode);
  });

  it.each([
    ["one for all heads of a Llama, twice as high where two heads share keys", LLAMA, ["q_proj"], 2],
    ["one for each head of a BLOOM", BLOOM, ["query_key_value"], 8],
  ])("counts the masks of attention, whatever the batch: %s", (_which, config, targets, perToken) => {
    const { architecture } = openCheckpoint(toyFolder(config));
    const settings = { lora: { rank: 8, alpha: 16, dropout: 0, targets }, tokens: 100, checkpointing: false };
    const [one, two] = [1, 2].map((batch) => estimateModel(architecture, { ...settings, batch }).memory.activations);
    expect(2 * one - two).toBe(4 * perToken * 100 * 100);
  });
});

describe("activation checkpointing, as a process needs it", () => {
  it("takes a third of the memory that keeping everything takes, beside the program: nothing computed twice is merged", async () => {
    const folder = toyFolder(LLAMA);
    const peakOf = async (batch: number, tokens: number, mode: "off" | "on") =>
      (await peakAndEstimate({ folder, batch, tokens }, mode)).peak;
    const program = await peakOf(1, 8, "on");
    const kept = (await peakOf(8, 448, "off")) - program;
    const again = (await peakOf(8, 448, "on")) - program;
    // 0.31 to 0.33; 0.39 where ONNX Runtime eliminates common subexpressions
    expect(again / kept).toBeLessThan(0.36);
  });
});
