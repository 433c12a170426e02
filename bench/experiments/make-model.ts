import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { trainByteLevel } from "../../cli/src/experiment/tokenizers/tokenizer-kinds.ts";
import type { ToyParty } from "../../scripts/quickstart/parties.ts";
import { pretrainModel } from "../../scripts/quickstart/pretrain-model.ts";
import { modelConfig, tokenizerText } from "../../scripts/quickstart/train-tokenizers.ts";

/** How a small model is made: its byte-level BPE, its shape, and how often it reads its texts. */
export interface Recipe {
  vocabularySize: number;
  model: ToyParty["model"];
  contextTokens: number;
  learningRate: number;
  epochs: number;
}

const SEED = 1;
const IDENTITY = "identity.txt";

/**
 * Makes a tokenizer and a model from texts with the engine that the runs use. The same texts and recipe give the same bytes.
 *
 * @param folder - of the model; where it holds the one of this recipe and these texts, that is kept
 * @param name - as progress on standard output names it
 * @throws Error where the folder holds a model of another recipe or other texts: what was run with it is not to be mixed with
 *   what another would give
 */
export async function makeModel(folder: string, name: string, recipe: Recipe, texts: readonly string[]): Promise<void> {
  const identity = createHash("sha256")
    .update(JSON.stringify({ recipe, texts, seed: SEED }))
    .digest("hex");
  const marker = join(folder, IDENTITY);
  if (existsSync(marker)) {
    if (readFileSync(marker, "utf8") === identity) return;
    throw new Error(`${folder}: expected the model of ${name}'s recipe and texts, found another's; remove the cache`);
  }
  mkdirSync(folder, { recursive: true });
  const tokenizer = trainByteLevel(texts, recipe.vocabularySize);
  writeFileSync(join(folder, "tokenizer.json"), tokenizerText(tokenizer));
  writeFileSync(
    join(folder, "config.json"),
    JSON.stringify(modelConfig(recipe.model, tokenizer, recipe.contextTokens)),
  );
  const { epochs, learningRate, contextTokens } = recipe;
  const { parameters, lossNats } = await pretrainModel(folder, name, texts, {
    ...{ seed: SEED, epochs, learningRate, contextTokens },
  });
  // last, so that a folder with it is whole
  writeFileSync(marker, identity);
  process.stdout.write(`${name}: ${parameters} parameters, ${lossNats.toFixed(3)} nats a token\n`);
}
