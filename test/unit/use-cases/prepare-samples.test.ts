import { describe, expect, it } from "@jest/globals";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { readSampleSet } from "../../../shared/src/use-cases/prepare-samples.ts";
import {
  byteLevelTokenizerJson,
  characterTokenizerJson,
  sentencePieceTokenizerJson,
  wordPieceTokenizerJson,
} from "../../support/tiny-tokenizers.ts";

async function kept(tokenizer: object, text: string): Promise<string> {
  const files: Record<string, unknown> = { "data.txt": text, "tokenizer.json": JSON.stringify(tokenizer) };
  const material = { read: async (path: string) => new TextEncoder().encode(String(files[path])) };
  const deps = { material, openTokenizer } as unknown as Parameters<typeof readSampleSet>[0];
  const samples = await readSampleSet(deps, { path: "data.txt", keepCharactersOf: "tokenizer.json" }, 1000, "it");
  return samples.map(({ prompt, answer }) => prompt + answer).join("");
}

describe("keepCharactersOf", () => {
  it("keeps the characters that have a token, and the space", async () => {
    expect(await kept(characterTokenizerJson("theship"), "the (ship) Ж\n")).toBe("the ship");
  });

  it("keeps no character that is only written byte by byte", async () => {
    expect(await kept(sentencePieceTokenizerJson(["é"]), "é€ê")).toBe("é");
    expect(await kept(byteLevelTokenizerJson(["Ã©"]), "aé€")).toBe("aé");
  });

  it("keeps what the tokenizer changes into what it can write, and the white space that it drops", async () => {
    const tokenizer = wordPieceTokenizerJson(["t", "h", "e", "s", "i", "p"]);
    expect(await kept(tokenizer, "THÉ\tSHİP ñ")).toBe("THÉ\tSHİP");
  });
});
