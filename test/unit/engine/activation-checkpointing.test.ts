import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { choosesCheckpointing } from "../../../shared/src/engine/activation-checkpointing.ts";
import { openCheckpoint } from "../../../shared/src/engine/checkpoint.ts";
import { trainingGraph } from "../../../shared/src/engine/graphs.ts";
import { freshLoraBank } from "../../../shared/src/engine/lora-bank.ts";
import { estimateModel } from "../../../shared/src/engine/memory-estimate.ts";
import type { OpenModel } from "../../../shared/src/ports/engine.ts";
import { TOY_LORA, TOY_TRAINING, toyFolder, toyOptions, withModel } from "./toy-model.ts";

const GIB = 2 ** 30;
/** A small model of each architecture, in several shapes. */
const ARCHITECTURES = join(import.meta.dirname, "../../golden/fixtures/architectures");

async function trained(options: Partial<OpenModel>, activationCheckpointing: "off" | "on") {
  return withModel(options, async (model) => {
    const { lossByEpoch } = await model.train(toyOptions({ training: { ...TOY_TRAINING, activationCheckpointing } }));
    return { lossByEpoch, bytes: Buffer.from(options.lora === null ? await model.weights() : await model.adapter()) };
  });
}

describe("activation checkpointing", () => {
  it.each<[string, Partial<OpenModel>]>([
    ["LoRA on queries and values", {}],
    ["LoRA on every layer", { lora: { ...TOY_LORA, targets: "all-linear" } }],
    ["LoRA with dropout", { lora: { ...TOY_LORA, dropout: 0.3 } }],
    ["all weights", { lora: null, trainable: "all" }],
  ])("ends in the same bytes as without it, training %s", async (_what, options) => {
    const folder = toyFolder();
    const off = await trained({ folder, ...options }, "off");
    const on = await trained({ folder, ...options }, "on");
    expect(on.lossByEpoch).toEqual(off.lossByEpoch);
    expect(on.bytes.equals(off.bytes)).toBe(true);
  });

  it.each(readdirSync(ARCHITECTURES))("ends in the same bytes as without it, training LoRA in %s", async (name) => {
    const options = { folder: join(ARCHITECTURES, name), lora: { ...TOY_LORA, targets: "all-linear" as const } };
    const off = await trained(options, "off");
    const on = await trained(options, "on");
    expect(on.lossByEpoch).toEqual(off.lossByEpoch);
    expect(on.bytes.equals(off.bytes)).toBe(true);
  });

  it("computes a block's products twice, but for the last of a block, which nothing of it needs", () => {
    const checkpoint = openCheckpoint(toyFolder());
    const parts = { checkpoint, bank: freshLoraBank(checkpoint.architecture, TOY_LORA, 1), lora: TOY_LORA };
    const products = (checkpointing: boolean) =>
      trainingGraph(parts, { knowledge: "none", temperature: 1, chunks: 1, checkpointing }).nodes.filter(
        ({ operator }) => operator === "Gemm",
      ).length;
    // of each of two blocks: q, k, v, o, gate, up, and two layers' A and B; the lowest block's output needs no gradient by its input
    expect(products(true) - products(false)).toBeGreaterThan(12);
    expect(products(true) - products(false)).toBeLessThanOrEqual(20);
  });

  it("is chosen by `auto` where training needs more memory than there is", () => {
    const { architecture } = openCheckpoint(toyFolder());
    const settings = { lora: TOY_LORA, batch: 4, tokens: 16 };
    const { total } = estimateModel(architecture, { ...settings, checkpointing: false }).memory;
    expect(choosesCheckpointing("auto", architecture, settings, total)).toBe(true);
    expect(choosesCheckpointing("auto", architecture, settings, total * 2)).toBe(false);
    expect(choosesCheckpointing("off", architecture, settings, total / 2)).toBe(false);
    expect(choosesCheckpointing("on", architecture, settings, 64 * GIB)).toBe(true);
  });

  it("is chosen sooner with dropout, whose masks have a byte for each input of an adapted layer", () => {
    const { architecture } = openCheckpoint(toyFolder());
    const settings = { batch: 4, tokens: 16, checkpointing: false };
    const { total } = estimateModel(architecture, { ...settings, lora: TOY_LORA }).memory;
    const lora = { ...TOY_LORA, dropout: 0.05 };
    // two layers of 16 inputs in each of two blocks
    expect(estimateModel(architecture, { ...settings, lora }).memory.total).toBe(total + 4 * 16 * (2 * 2 * 16));
  });
});
