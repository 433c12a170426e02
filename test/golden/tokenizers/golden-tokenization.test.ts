import { readFileSync } from "node:fs";
import { describe, expect } from "@jest/globals";
import { itWithMaterial, material } from "../../support/material.ts";
import { openMaterialTokenizer } from "../../support/open-material-tokenizer.ts";

const folder = `${material}/data/golden/tokenization`;
const read = (name: string) => readFileSync(`${folder}/${name}`, "utf8");

/** One case a line, `\n` written out; ids without specials. */
function lineCases(size: string, model: string): { text: string; ids: number[] }[] {
  const texts = read(`${size}_input.txt`).split("\n");
  const ids = read(`${size}_${model}.txt`).split("\n");
  return texts
    .map((text, index) => ({ text: text.replaceAll("\\n", "\n"), ids: numbers(ids[index] ?? "") }))
    .filter(({ text }) => text !== "" && !text.includes("\\s"));
}

function blockCases(model: string): { text: string; ids: number[] }[] {
  const texts = read(`ggml_${model}.inp`).split("\n__ggml_vocab_test__\n");
  const ids = read(`ggml_${model}.out`).split("\n");
  return texts.map((text, index) => ({ text, ids: numbers(ids[index] ?? "") }));
}

const numbers = (line: string) => (line.match(/\d+/g) ?? []).map(Number);

function checkAll(cases: { text: string; ids: number[] }[], tokenizerName: string): void {
  const tokenizer = openMaterialTokenizer(tokenizerName);
  const special = (id: number) => tokenizer.vocabulary.tokens[id] === null && id !== tokenizer.vocabulary.roles.unknown;
  for (const { text, ids } of cases) {
    const encoded = tokenizer.encode(text);
    if (ids.some(special)) {
      // knownDivergence: there, what looks like a special token is one; here a text is text.
      expect(/<.*>/.test(text)).toBe(true);
      expect([...encoded.ids].some(special)).toBe(false);
      expect(tokenizer.decode(encoded.ids)).toBe(text);
      continue;
    }
    expect({ text, ids: [...encoded.ids] }).toEqual({ text, ids });
    expect(encoded.ends.at(-1) ?? 0).toBe(Buffer.byteLength(text));
  }
}

describe("ids agree with the tokenizers' own implementations, and every token gets its end", () => {
  for (const [tokenizer, golden] of [
    ["gpt2", "gpt2"],
    ["llama2", "llama2"],
    ["mistral_v0.1", "mistral01"],
    ["cl100k_base", "cl100k_base"],
  ])
    itWithMaterial(`${tokenizer} on lines in many languages`, () => {
      const cases = [...lineCases("mixed", golden), ...lineCases("small", golden)];
      expect(cases.length).toBeGreaterThan(100);
      checkAll(cases, tokenizer);
    });

  for (const [tokenizer, golden] of [
    ["gpt2", "gpt-2"],
    ["llama2", "llama-spm"],
  ])
    itWithMaterial(`${tokenizer} on llama.cpp's odd cases`, () => {
      const cases = blockCases(golden);
      expect(cases.length).toBe(47);
      checkAll(cases, tokenizer);
    });
});
