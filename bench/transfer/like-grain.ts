import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { trainByteLevel } from "../../cli/src/experiment/tokenizers/tokenizer-kinds.ts";
import { pretrainModel } from "../../scripts/quickstart/pretrain-model.ts";
import { modelConfig, tokenizerText } from "../../scripts/quickstart/train-tokenizers.ts";
import { DOMAIN_NAMES, type Domain, type DomainTexts } from "../experiments/texts.ts";

/** Holds a sample in single bytes, and its beginning. */
const CONTEXT_TOKENS = 256;
const SEED = 1;

/** About 2.6 M parameters. */
const SERVER = {
  vocabularySize: 2048,
  model: { hiddenSize: 192, intermediateSize: 512, layers: 5, heads: 6, keyValueHeads: 6 },
  learningRate: 0.002,
  epochs: 3,
};

/** About 0.54 M parameters. */
const CLIENT = {
  vocabularySize: 1024,
  model: { hiddenSize: 96, intermediateSize: 256, layers: 4, heads: 4, keyValueHeads: 4 },
  learningRate: 0.002,
  epochs: 9,
};

type Recipe = typeof SERVER;

/** Party → its model's folder. */
export type Models = Record<Domain | "server", string>;

/**
 * Makes the models of the pair of like grain, each with a byte-level BPE of its own, and keeps them: the server's has read the
 * first half of every domain, a client's the first half of its own. The same texts and settings give the same bytes.
 *
 * @param folder - models that lie there are not made again, unless their texts or settings were others
 */
export async function likeGrainModels(folder: string, texts: Record<Domain, DomainTexts>): Promise<Models> {
  const models: Partial<Models> = {};
  const make = async (party: keyof Models, recipe: Recipe, samples: string[]) => {
    models[party] = await makeModel(folder, party, recipe, samples);
  };
  const clients = async () => {
    for (const domain of DOMAIN_NAMES) await make(domain, CLIENT, texts[domain].pretraining);
  };
  const everything = DOMAIN_NAMES.flatMap((domain) => texts[domain].pretraining);
  // each model trains in a thread of its own
  await Promise.all([make("server", SERVER, everything), clients()]);
  return models as Models;
}

async function makeModel(parent: string, party: string, recipe: Recipe, texts: string[]): Promise<string> {
  const identity = JSON.stringify({ recipe, texts, seed: SEED, contextTokens: CONTEXT_TOKENS });
  const hash = createHash("sha256").update(identity).digest("hex");
  const folder = join(parent, `${party}-${hash.slice(0, 12)}`);
  // written last, so that a folder with it is whole
  if (existsSync(join(folder, "model.safetensors"))) return folder;
  mkdirSync(folder, { recursive: true });
  const tokenizer = trainByteLevel(texts, recipe.vocabularySize);
  writeFileSync(join(folder, "tokenizer.json"), tokenizerText(tokenizer));
  writeFileSync(join(folder, "config.json"), JSON.stringify(modelConfig(recipe.model, tokenizer, CONTEXT_TOKENS)));
  const { epochs, learningRate } = recipe;
  const settings = { seed: SEED, epochs, learningRate, contextTokens: CONTEXT_TOKENS };
  const { parameters, lossNats } = await pretrainModel(folder, party, texts, settings);
  process.stdout.write(`${party}: ${parameters} parameters, ${lossNats.toFixed(3)} nats a token\n`);
  return folder;
}
