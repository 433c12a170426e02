import { readFileSync } from "node:fs";
import { describe, expect } from "@jest/globals";
import { itWithMaterial, material } from "../../support/material.ts";
import { openMaterialTokenizer } from "../../support/open-material-tokenizer.ts";
import { tilesOf } from "../../support/tiles.ts";

const folder = `${material}/data/golden/tokenization`;
const read = (name: string) => readFileSync(`${folder}/${name}`, "utf8");
const numbers = (line: string) => (line.match(/\d+/g) ?? []).map(Number);

/** One case a line, `\n` written out; ids without specials. The line with `\s` means something else to each of its readers. */
function lineCases(size: string, model: string): { text: string; ids: number[] }[] {
  const ids = read(`${size}_${model}.txt`).split("\n");
  return lines(size)
    .map((text, index) => ({ text, ids: numbers(ids[index] ?? "") }))
    .filter(({ text }) => text !== "");
}

function lines(size: string): string[] {
  return read(`${size}_input.txt`)
    .split("\n")
    .map((text) => (text.includes("\\s") ? "" : text.replaceAll("\\n", "\n")));
}

function blocks(model: string): string[] {
  return read(`ggml_${model}.inp`).split("\n__ggml_vocab_test__\n");
}

function blockCases(model: string): { text: string; ids: number[] }[] {
  const ids = read(`ggml_${model}.out`).split("\n");
  return blocks(model).map((text, index) => ({ text, ids: numbers(ids[index] ?? "") }));
}

/** @returns the exceptions: the cases that the other implementation writes with a special token */
function checkAll(cases: { text: string; ids: number[] }[], tokenizerName: string): string[] {
  const tokenizer = openMaterialTokenizer(tokenizerName);
  const special = (id: number) => tokenizer.vocabulary.tokens[id] === null && id !== tokenizer.vocabulary.roles.unknown;
  const specials: string[] = [];
  for (const { text, ids } of cases) {
    const encoded = tokenizer.encode(text);
    if (ids.some(special)) {
      // knownDivergence: there, what looks like a special token is one; here a text is text.
      specials.push(text);
      expect([...encoded.ids].some(special)).toBe(false);
      const written = tokenizer.decode(encoded.ids);
      // WordPiece's tokens do not say whether a space stood before a word
      expect(tokenizerName === "bert_base_cased" ? written.replaceAll(" ", "") : written).toBe(text);
      continue;
    }
    expect({ text, ids: [...encoded.ids] }).toEqual({ text, ids });
    expect(Buffer.concat(tilesOf(text, encoded)).toString()).toBe(text);
  }
  return specials;
}

describe("ids agree with the tokenizers' own implementations, and every token gets its end", () => {
  for (const [tokenizer, golden, specials] of [
    ["gpt2", "gpt2", ["<|endoftext|>"]],
    ["llama2", "llama2", ["<s>[PAD]</s>"]],
    ["mistral_v0.1", "mistral01", ["<s>[PAD]</s>"]],
    ["gpt_neox_pythia", "gpt_neox", ["<|endoftext|>"]],
    ["bert_base_cased", "bert_base_cased", ["<s>[PAD]</s>"]],
    ["cl100k_base", "cl100k_base", ["<|endoftext|>"]],
  ] as const)
    itWithMaterial(`${tokenizer} on lines in many languages`, () => {
      const cases = [...lineCases("mixed", golden), ...lineCases("small", golden)];
      expect(cases.length).toBeGreaterThan(100);
      expect(checkAll(cases, tokenizer)).toEqual(specials);
    });

  for (const [tokenizer, golden] of [
    ["gpt2", "gpt-2"],
    ["llama2", "llama-spm"],
    ["qwen", "qwen2"],
    ["opt", "roberta-bpe"],
  ])
    itWithMaterial(`${tokenizer} on llama.cpp's odd cases`, () => {
      const cases = blockCases(golden);
      expect(cases.length).toBe(47);
      expect(checkAll(cases, tokenizer)).toEqual([]);
    });
});

describe("ranges give back the text", () => {
  for (const name of [
    "babyllama105",
    "bert_base_cased",
    "cl100k_base",
    "gpt2",
    "gpt_neox_pythia",
    "llama2",
    "mistral_v0.1",
    "opt",
    "qwen",
    "smollm2",
    "stories260k_tok512",
  ])
    itWithMaterial(`of every golden line: ${name}`, () => {
      const tokenizer = openMaterialTokenizer(name);
      const texts = [...lines("mixed"), ...lines("small"), ...blocks("gpt-2")];
      let dropped = 0;
      for (const text of texts) {
        if (name === "bert_base_cased" && text !== "" && text.trim() === "") {
          // it writes no white space, and so nothing of a text of nothing else
          expect(() => tokenizer.encode(text)).toThrow(/drops every character/);
          dropped++;
          continue;
        }
        expect(Buffer.concat(tilesOf(text, tokenizer.encode(text))).toString()).toBe(text);
      }
      expect(dropped).toBeLessThan(15);
    });
});
