import { join } from "node:path";
import { makeModel, type Recipe } from "./make-model.ts";
import { DOMAIN_NAMES, type Domain, type DomainTexts } from "./texts.ts";

/** Holds a sample in single bytes, and its beginning. */
const CONTEXT_TOKENS = 256;

/** About 2.6 M parameters. */
const SERVER: Recipe = {
  vocabularySize: 2048,
  model: { hiddenSize: 192, intermediateSize: 512, layers: 5, heads: 6, keyValueHeads: 6 },
  contextTokens: CONTEXT_TOKENS,
  learningRate: 0.002,
  epochs: 5,
};

/** About 0.54 M parameters. */
const CLIENT: Recipe = {
  vocabularySize: 1024,
  model: { hiddenSize: 96, intermediateSize: 256, layers: 4, heads: 4, keyValueHeads: 4 },
  contextTokens: CONTEXT_TOKENS,
  learningRate: 0.002,
  epochs: 9,
};

/** What the server has read before the federation begins. Of the other domains only a client knows. */
const SERVER_DOMAINS: readonly Domain[] = ["grimm", "tinystories"];

/**
 * Makes the models of the federation of like grain, each with a byte-level BPE of its own: the server's has read the first half
 * of two domains, a client's the first half of its own. So each knows what others do not.
 */
export async function makeLikeGrain(folder: string, texts: Record<Domain, DomainTexts>): Promise<void> {
  const make = (party: string, recipe: Recipe, domains: readonly Domain[]) =>
    makeModel(
      join(folder, party),
      party,
      recipe,
      domains.flatMap((domain) => texts[domain].pretraining),
    );
  const clients = async () => {
    for (const domain of DOMAIN_NAMES) await make(domain, CLIENT, [domain]);
  };
  // each model trains in a thread of its own
  await Promise.all([make("server", SERVER, SERVER_DOMAINS), clients()]);
}
