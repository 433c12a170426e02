import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect } from "@jest/globals";
import type { GeneratedToken, GenerateOptions, Model } from "../../../shared/src/ports/engine.ts";
import { type HashedAdapter, hashedAdapter } from "../../support/hashed-adapter.ts";
import { itWithMaterial, itWithSmolLm2, material, smolLm2 } from "../../support/material.ts";
import { engine } from "../../support/shared-engine.ts";

/** Of log-probabilities, in nats, against PEFT's. */
const TOLERANCE = 2e-4;

interface AdaptedText {
  text: string;
  adapter: string | null;
  prompt: number[];
  ids: number[];
  logProbs: number[];
}

/** What transformers and PEFT continue one by one. */
interface AdaptedTexts {
  strength: number;
  texts: AdaptedText[];
}

/** What scripts/fixtures/adapters.py wrote. */
const fixture = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../fixtures/generation/adapters.json"), "utf8"),
) as { adapters: Record<string, HashedAdapter>; stories260k: AdaptedTexts; smollm2: AdaptedTexts };

const GREEDY: Omit<GenerateOptions, "prompt" | "maxTokens"> = {
  temperature: 0,
  topK: null,
  topP: null,
  seed: 0,
  stop: [],
};

async function continued(model: Model, { prompt, ids, adapter }: AdaptedText): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  const options = { ...GREEDY, prompt: Int32Array.from(prompt), maxTokens: ids.length, adapter };
  for await (const token of model.generate(options)) tokens.push(token);
  return tokens;
}

function expectAs({ ids, logProbs }: AdaptedText, found: readonly GeneratedToken[]): void {
  expect(found.map(({ id }) => id)).toEqual(ids);
  found.forEach(({ logProb }, index) => {
    expect(Math.abs(logProb - logProbs[index])).toBeLessThan(TOLERANCE);
  });
}

async function expectAsPeft(
  folder: string,
  { strength, texts }: AdaptedTexts,
  prefixBytes: number,
  alone: readonly AdaptedText[],
) {
  const generation = { concurrent: 8, prefixBytes };
  const model = await engine.open({ folder, lora: null, adapter: null, seed: 0, threads: 1, generation });
  try {
    const bare = texts[0];
    expectAs(bare, await continued(model, bare)); // before there is any adapter
    for (const [name, about] of Object.entries(fixture.adapters))
      await model.loadAdapter(name, hashedAdapter(folder, about, strength));
    for (const text of alone) expectAs(text, await continued(model, text));
    const together = await Promise.all(texts.map((text) => continued(model, text)));
    texts.forEach((text, index) => {
      expectAs(text, together[index]);
    });
  } finally {
    await model.close();
  }
}

describe("adapters at run time", () => {
  itWithMaterial(
    "continue texts of stories260k as PEFT does, alone and eight at once with three adapters and none",
    async () => {
      const folder = resolve(material!, "models/stories260k");
      const { texts } = fixture.stories260k;
      expect(new Set(texts.map(({ adapter }) => adapter)).size).toBe(4);
      await expectAsPeft(folder, fixture.stories260k, 0, texts);
      await expectAsPeft(folder, fixture.stories260k, 1e7, texts);
    },
  );

  itWithSmolLm2(
    "continue texts of SmolLM2-135M as PEFT does, alone and eight at once with three adapters and none",
    () => expectAsPeft(smolLm2!, fixture.smollm2, 0, fixture.smollm2.texts),
    900_000,
  );
});
