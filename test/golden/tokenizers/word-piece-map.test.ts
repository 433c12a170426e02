import { describe, expect } from "@jest/globals";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import { MAPPED } from "../../../shared/src/core/knowledge.ts";
import type { Tokenizer } from "../../../shared/src/ports/tokenizer.ts";
import { itWithMaterial } from "../../support/material.ts";
import { openMaterialTokenizer } from "../../support/open-material-tokenizer.ts";

const idOf = ({ vocabulary }: Tokenizer, string: string) => vocabulary.strings.indexOf(string);

describe("a vocabulary map between WordPiece and byte-level BPE", () => {
  const pairs: [gpt2: string, bert: string][] = [
    ["Ġplay", "play"],
    ["Ġthe", "the"],
    ["ĠLondon", "London"],
    ["ing", "##ing"],
    ["tion", "##tion"],
    ["s", "##s"],
    [",", ","],
    ["!", "!"],
    ["Ġ1999", "1999"],
    ["<|endoftext|>", "[SEP]"],
  ];

  itWithMaterial("takes a word's first token for one with a space before it, and what goes on for one without", () => {
    const [gpt2, bert] = [openMaterialTokenizer("gpt2"), openMaterialTokenizer("bert_base_cased")];
    for (const [source, target, read] of [
      [gpt2, bert, (pair: [string, string]) => pair],
      [bert, gpt2, ([one, other]: [string, string]) => [other, one]],
    ] as const) {
      const { targetOfSource, kind } = mapVocabulary(source.vocabulary, target.vocabulary, "product");
      for (const pair of pairs) {
        const [from, to] = read(pair);
        const id = idOf(source, from);
        expect([from, target.vocabulary.strings[targetOfSource[id]]]).toEqual([from, to]);
        expect(kind[id]).toBe(from === "[SEP]" || to === "[SEP]" ? MAPPED.role : MAPPED.equal);
      }
      const equal = kind.reduce((sum, how) => sum + (how === MAPPED.equal ? 1 : 0), 0);
      expect(equal / kind.length).toBeGreaterThan(source === bert ? 0.6 : 0.3);
    }
  });
});
