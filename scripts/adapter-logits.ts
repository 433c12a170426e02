import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createEngine } from "../shared/src/engine/engine.ts";
import type { OpenModel } from "../shared/src/ports/engine.ts";

/**
 * Prints, as JSON, the logits that the project's engine computes with an adapter, for scripts/check-adapter.py:
 *
 *     node scripts/adapter-logits.ts MODEL ADAPTER > logits.json && python scripts/check-adapter.py MODEL ADAPTER logits.json
 *
 * MODEL is a model folder, ADAPTER a PEFT adapter folder.
 */
const [modelFolder, adapterFolder] = process.argv.slice(2);
if (!modelFolder || !adapterFolder) throw new Error("expected: node scripts/adapter-logits.ts MODEL ADAPTER");

const TOKENS = 48;

const config = JSON.parse(readFileSync(resolve(adapterFolder, "adapter_config.json"), "utf8"));
const lora: OpenModel["lora"] = {
  rank: config.r,
  alpha: config.lora_alpha,
  dropout: 0,
  targets: config.target_modules,
};
const model = await createEngine().open({
  folder: resolve(modelFolder),
  lora,
  adapter: new Uint8Array(readFileSync(resolve(adapterFolder, "adapter_model.safetensors"))),
  seed: 0,
  threads: 1,
});
// any ids do; a stride prime to most vocabularies visits many
const length = Math.min(TOKENS, model.contextTokens);
const ids = Int32Array.from({ length }, (_, index) => (1 + 37 * index) % model.vocabularySize);
const logits = await model.logits(ids);
const rows = Array.from({ length }, (_, row) => [
  ...logits.subarray(row * model.vocabularySize, (row + 1) * model.vocabularySize),
]);
await model.close();
process.stdout.write(`${JSON.stringify({ ids: [...ids], logits: rows })}\n`);
