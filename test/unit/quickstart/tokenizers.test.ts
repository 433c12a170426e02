import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { buildCorpora, QUICKSTART_SEED } from "../../../scripts/quickstart/corpora.ts";
import { CONTEXT_TOKENS, PARTIES } from "../../../scripts/quickstart/parties.ts";
import { modelConfig, tokenizerText, trainTokenizer } from "../../../scripts/quickstart/train-tokenizers.ts";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";

const models = resolve(import.meta.dirname, "../../../examples/quickstart/models");
const corpora = buildCorpora(QUICKSTART_SEED);
const everyText = [...corpora.files.values()].flat();

/** Texts of the pretraining that are read in the test: every n-th. */
const EVERY = 20;

describe.each(PARTIES.map((party) => [party.id, party] as const))("the quickstart's tokenizer of %s", (id, party) => {
  const read = (name: string) => readFileSync(resolve(models, id, name));
  const tokenizer = openTokenizer(read("tokenizer.json"), read("config.json"), id);

  it("is trained again byte for byte from the corpora, with its config", () => {
    const trained = trainTokenizer(party, corpora.pretraining.get(id)!);
    expect(tokenizerText(trained)).toBe(read("tokenizer.json").toString());
    expect(JSON.parse(read("config.json").toString())).toEqual(modelConfig(party.model, trained, CONTEXT_TOKENS));
    expect(trained.vocabularySize).toBe(party.tokenizer.vocabularySize);
  });

  it("gives back every text of every corpus, without unknown tokens and within the model's context", () => {
    const texts = [...everyText, ...corpora.pretraining.get(id)!.filter((_, index) => index % EVERY === 0)];
    const { unknown } = tokenizer.vocabulary.roles;
    const { max_position_embeddings: contextTokens } = JSON.parse(read("config.json").toString());
    for (const text of texts) {
      const { ids, ends } = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      expect(ends.at(-1)).toBe(Buffer.byteLength(text));
      expect(unknown === null || !ids.includes(unknown)).toBe(true);
      expect(ids.length + 2).toBeLessThanOrEqual(contextTokens);
    }
  });

  it("has a beginning and an end", () => {
    expect(tokenizer.vocabulary.roles.bos).not.toBeNull();
    expect(tokenizer.vocabulary.roles.eos).not.toBeNull();
  });
});

describe("the three kinds of the clients' tokenizers", () => {
  const tokensOf = (id: string, text: string) => {
    const read = (name: string) => readFileSync(resolve(models, id, name));
    return openTokenizer(read("tokenizer.json"), read("config.json"), id).encode(text).ids.length;
  };

  it("cut the same text differently: the harbour's words are whole for the harbour alone", () => {
    const text = "The Tiderunner moored at the long pier.";
    const counts = ["ward", "harbour", "workshop"].map((id) => tokensOf(id, text));
    expect(counts[1]).toBeLessThan(counts[0]!);
    expect(counts[0]).toBeLessThan(counts[2]!);
  });

  it("write a letter that they have never seen: in bytes", () => {
    expect(tokensOf("harbour", "Ω")).toBe(3);
    expect(tokensOf("ward", "Ω")).toBe(2);
  });
});
