import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openTokenizer } from "../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { trainingSpec } from "../../shared/src/contracts/run-spec.ts";
import { encodeSample } from "../../shared/src/core/alignment/encode-sample.ts";
import { initializeModel } from "../../shared/src/engine/architectures/initialize-model.ts";
import { createEngine } from "../../shared/src/engine/engine.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../shared/src/formats/safetensors.ts";
import { buildCorpora, QUICKSTART_SEED } from "./corpora.ts";
import { modelCard } from "./model-card.ts";
import { CONTEXT_TOKENS, PARTIES, type ToyParty } from "./parties.ts";

/** One seed for first weights and orders of samples. */
const SEED = 1;
const EPOCHS = 2;
const PROGRESS_EVERY_STEPS = 100;

const models = fileURLToPath(new URL("../../examples/quickstart/models/", import.meta.url));

/** Trains one party's model from nothing, with the engine that the runs use, and stores it in half precision. */
async function pretrain(party: ToyParty, texts: readonly string[]): Promise<void> {
  const folder = join(models, party.id);
  const config = readFileSync(join(folder, "config.json"));
  const tokenizer = openTokenizer(readFileSync(join(folder, "tokenizer.json")), config, `${party.id}: tokenizer.json`);
  const samples = texts.map((answer, index) =>
    encodeSample(
      { id: new Uint8Array(16), prompt: "", answer, kind: "text", line: index + 1 },
      tokenizer,
      CONTEXT_TOKENS,
    ),
  );

  const workplace = mkdtempSync(join(tmpdir(), "pretrain-"));
  try {
    copyFileSync(join(folder, "config.json"), join(workplace, "config.json"));
    writeFileSync(join(workplace, "model.safetensors"), initializeModel(config.toString(), SEED));
    const model = await createEngine().open({
      folder: workplace,
      lora: null,
      adapter: null,
      trainable: "all",
      seed: SEED,
      threads: 1,
    });
    const { lossByEpoch } = await model.train({
      samples,
      lambda: 1,
      temperature: 1,
      epochs: EPOCHS,
      training: trainingSpec.parse({ learningRate: party.learningRate, batchSize: 16, warmupRatio: 0.05 }),
      seed: SEED,
      onProgress: ({ step, steps, loss, tokensPerSecond }) => {
        if (step % PROGRESS_EVERY_STEPS === 0 || step === steps)
          process.stdout.write(
            `${party.id}: step ${step} of ${steps}, loss ${loss.toFixed(3)}, ${Math.round(tokensPerSecond)} tokens/s\n`,
          );
      },
    });
    writeFileSync(join(folder, "model.safetensors"), inHalfPrecision(await model.weights()));
    writeFileSync(
      join(folder, "README.md"),
      modelCard(party, model.parameters, texts.length, EPOCHS, lossByEpoch.at(-1)!),
    );
    await model.close();
  } finally {
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

const { pretraining } = buildCorpora(QUICKSTART_SEED);
const asked = process.argv.slice(2);
mkdirSync(models, { recursive: true });
for (const party of PARTIES)
  if (asked.length === 0 || asked.includes(party.id)) await pretrain(party, pretraining.get(party.id)!);
