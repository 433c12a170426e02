import { readFileSync } from "node:fs";
import { openTokenizer } from "../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import type { Tokenizer } from "../../shared/src/ports/tokenizer.ts";
import { material } from "./material.ts";

const opened = new Map<string, Tokenizer>();

/** One of the material's tokenizers, such as `gpt2`; opened once a test file. */
export function openMaterialTokenizer(name: string, config: object = {}): Tokenizer {
  let tokenizer = opened.get(name);
  if (tokenizer === undefined) {
    const json = readFileSync(`${material}/data/tokenizers/${name}.tokenizer.json`);
    tokenizer = openTokenizer(json, new TextEncoder().encode(JSON.stringify(config)), name);
    opened.set(name, tokenizer);
  }
  return tokenizer;
}
