import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildCorpora, QUICKSTART_SEED } from "./corpora.ts";
import { modelCard } from "./model-card.ts";
import { CONTEXT_TOKENS, PARTIES } from "./parties.ts";
import { pretrainModel } from "./pretrain-model.ts";

/** One seed for first weights and orders of samples. */
const SEED = 1;
const EPOCHS = 2;

const models = fileURLToPath(new URL("../../examples/quickstart/models/", import.meta.url));
const { pretraining } = buildCorpora(QUICKSTART_SEED);
const asked = process.argv.slice(2);
mkdirSync(models, { recursive: true });
for (const party of PARTIES) {
  if (asked.length > 0 && !asked.includes(party.id)) continue;
  const texts = pretraining.get(party.id)!;
  const folder = join(models, party.id);
  const { learningRate } = party;
  const settings = { seed: SEED, epochs: EPOCHS, learningRate, contextTokens: CONTEXT_TOKENS };
  const { parameters, lossNats } = await pretrainModel(folder, party.id, texts, settings);
  writeFileSync(join(folder, "README.md"), modelCard(party, parameters, texts.length, EPOCHS, lossNats));
}
