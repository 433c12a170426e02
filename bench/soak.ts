import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { initializeModel } from "../shared/src/engine/architectures/initialize-model.ts";
import { createEngine } from "../shared/src/engine/engine.ts";
import type { EncodedSample, Engine } from "../shared/src/ports/engine.ts";

/** A model of stories260k's shape, for where the material is absent. */
const TOY_CONFIG = JSON.stringify({
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  vocab_size: 512,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
});
const LONGEST = 96;
const BATCH = 4;
/** Done when memory is read, in percent of the steps; the first reading is after everything has been made. */
const READINGS = [10, 50, 100];
const SAVE_EVERY = 100;

/**
 * Trains a small model for many steps, with dropout, mixed lengths, two micro-batches a step and checkpoints, and tells whether
 * the process grows: its resident memory at 10, 50 and 100 % of the steps, and its threads before, meanwhile and after closing.
 *
 * @param argv - `--steps` (2000); `--model`, a folder: stories260k of the material ($FEDMKT_MATERIAL or ../shared) unless given,
 *   or a made one of its shape where that is absent
 */
export async function run(argv: string[]): Promise<object> {
  const { values } = parseArgs({
    args: argv,
    options: { steps: { type: "string", default: "2000" }, model: { type: "string" } },
  });
  const steps = Number(values.steps);
  if (!Number.isInteger(steps) || steps < 10)
    throw new Error(`--steps: expected a whole number from 10, got ${values.steps}`);
  const made = mkdtempSync(join(tmpdir(), "bench-soak-"));
  try {
    const model = values.model ?? materialModel() ?? makeModel(made);
    await startOwnThreads(model);
    const threads = { before: countThreads(), meanwhile: 0, after: 0 };
    const engine = createEngine();
    const memory = await soak(engine, model, steps, () => {
      threads.meanwhile = Math.max(threads.meanwhile, countThreads());
    });
    await engine.close();
    threads.after = countThreads();
    READINGS.forEach((share, index) => {
      console.log(`${share} % of ${steps} steps: ${memory[index].toFixed(1)} MB`);
    });
    console.log(`threads: ${threads.before} before, ${threads.meanwhile} meanwhile, ${threads.after} after closing`);
    return {
      steps,
      memoryMb: memory.map(Math.round),
      memoryGrowthMb: Math.round((memory.at(-1)! - memory[0]) * 10) / 10,
      threads,
      threadsLeaked: threads.after - threads.before,
    };
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** Node's own and one of ONNX Runtime's: they come with the first file and the first model, once, and stay. */
async function startOwnThreads(folder: string): Promise<void> {
  await readFile(join(folder, "config.json"));
  const engine = createEngine();
  const model = await engine.open({ folder, lora: null, adapter: null, seed: 1, threads: 2 });
  await model.logits(Int32Array.of(1));
  await engine.close();
}

/** @returns the process's resident megabytes at each reading */
async function soak(engine: Engine, folder: string, steps: number, onStep: () => void): Promise<number[]> {
  const lora = { rank: 8, alpha: 16, dropout: 0.05, targets: "default" as const };
  const model = await engine.open({ folder, lora, adapter: null, seed: 1, threads: 2 });
  const samples = mixedSamples(model.vocabularySize, Math.min(LONGEST, model.contextTokens));
  const due = new Map(READINGS.map((share, index) => [Math.ceil((steps * share) / 100), index]));
  const memory: number[] = [];
  const stepsPerEpoch = samples.length / BATCH;
  const ended = new Error("all steps are done");
  let done = 0;
  await model
    .train({
      samples,
      lambda: 1,
      temperature: 1,
      epochs: Math.ceil(steps / stepsPerEpoch),
      training: {
        learningRate: 1e-3,
        privateEpochs: 1,
        publicEpochs: 1,
        batchSize: BATCH,
        microBatchSize: BATCH / 2,
        schedule: "constant",
        warmupRatio: 0,
        betas: [0.9, 0.95],
        epsilon: 1e-8,
        weightDecay: 0.1,
        clipNorm: 1,
        threads: 2,
        activationCheckpointing: "auto",
      },
      seed: 1,
      onProgress: ({ step }) => {
        done = step;
        onStep();
        const reading = due.get(step);
        if (reading !== undefined) memory[reading] = process.memoryUsage.rss() / 1e6;
      },
      checkpoint: {
        resume: null,
        note: "",
        isDue: (step) => step >= steps || (step > 0 && step % SAVE_EVERY === 0),
        save: async () => {
          if (done >= steps) throw ended;
        },
      },
    })
    .catch((error: unknown) => {
      if (done < steps) throw error;
    });
  await model.close();
  return memory;
}

/** Lengths from a quarter of the longest, so that batches of many shapes come. */
function mixedSamples(vocabularySize: number, longest: number): EncodedSample[] {
  return Array.from({ length: 100 * BATCH }, (_, sample) => {
    const length = Math.ceil(longest / 4) + ((sample * 37) % Math.floor((longest * 3) / 4));
    return {
      ids: Int32Array.from({ length }, (_, token) => (token === 0 ? 1 : (sample * 31 + token * 7) % vocabularySize)),
      answer: Uint8Array.from({ length }, (_, token) => (token === 0 ? 0 : 1)),
      answerBytes: length,
    };
  });
}

function materialModel(): string | null {
  const folder = process.env.FEDMKT_MATERIAL ?? fileURLToPath(new URL("../../shared", import.meta.url));
  const model = join(folder, "models/stories260k");
  return existsSync(join(model, "config.json")) ? model : null;
}

function makeModel(folder: string): string {
  writeFileSync(join(folder, "config.json"), TOY_CONFIG);
  writeFileSync(join(folder, "model.safetensors"), initializeModel(TOY_CONFIG, 1));
  return folder;
}

/** Of this process, as Linux counts them. */
function countThreads(): number {
  return readdirSync("/proc/self/task").length;
}
