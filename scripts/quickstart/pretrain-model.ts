import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTokenizer } from "../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { trainingSpec } from "../../shared/src/contracts/run-spec.ts";
import { encodeSample } from "../../shared/src/core/alignment/encode-sample.ts";
import { initializeModel } from "../../shared/src/engine/architectures/initialize-model.ts";
import { createEngine } from "../../shared/src/engine/engine.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../shared/src/formats/safetensors.ts";

export interface Pretraining {
  /** of first weights and orders of samples */
  seed: number;
  epochs: number;
  /** at its peak */
  learningRate: number;
  contextTokens: number;
}

const PROGRESS_EVERY_STEPS = 100;

/**
 * Trains a model from nothing, with the engine that the runs use, and stores it in half precision.
 * @param folder - holds config.json and tokenizer.json; model.safetensors is written there
 * @param name - as progress on standard output names it
 * @returns trained numbers, and the last pass's nats a token
 */
export async function pretrainModel(
  folder: string,
  name: string,
  texts: readonly string[],
  { seed, epochs, learningRate, contextTokens }: Pretraining,
): Promise<{ parameters: number; lossNats: number }> {
  const config = readFileSync(join(folder, "config.json"));
  const tokenizer = openTokenizer(readFileSync(join(folder, "tokenizer.json")), config, `${name}: tokenizer.json`);
  const samples = texts.map((answer, index) =>
    encodeSample(
      { id: new Uint8Array(16), prompt: "", answer, kind: "text", line: index + 1 },
      tokenizer,
      contextTokens,
    ),
  );
  const workplace = mkdtempSync(join(tmpdir(), "pretrain-"));
  const engine = createEngine();
  try {
    copyFileSync(join(folder, "config.json"), join(workplace, "config.json"));
    writeFileSync(join(workplace, "model.safetensors"), initializeModel(config.toString(), seed));
    const model = await engine.open({
      folder: workplace,
      lora: null,
      adapter: null,
      trainable: "all",
      seed,
      threads: 1,
    });
    const { lossByEpoch } = await model.train({
      samples,
      lambda: 1,
      temperature: 1,
      epochs,
      training: trainingSpec.parse({ learningRate, batchSize: 16, warmupRatio: 0.05 }),
      seed,
      onProgress: ({ step, steps, loss, tokensPerSecond }) => {
        if (step % PROGRESS_EVERY_STEPS === 0 || step === steps)
          process.stdout.write(
            `${name}: step ${step} of ${steps}, loss ${loss.toFixed(3)}, ${Math.round(tokensPerSecond)} tokens/s\n`,
          );
      },
    });
    writeFileSync(join(folder, "model.safetensors"), inHalfPrecision(await model.weights()));
    const { parameters } = model;
    await model.close();
    return { parameters, lossNats: lossByEpoch.at(-1)! };
  } finally {
    await engine.close();
    rmSync(workplace, { recursive: true });
  }
}

/** The same tensors as f16, each number rounded to the nearest. */
function inHalfPrecision(weights: Uint8Array): Uint8Array {
  const { tensors } = readSafetensors(weights, "model.safetensors");
  const halves: Record<string, Tensor> = {};
  for (const [name, { shape, data }] of tensors) {
    const half = Float16Array.from(data as Float32Array);
    halves[name] = { dtype: "F16", shape, data: new Uint16Array(half.buffer) };
  }
  return writeSafetensors(halves, { format: "pt" });
}
