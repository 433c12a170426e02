import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect } from "@jest/globals";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import { MAPPED } from "../../../shared/src/core/knowledge.ts";
import { itWithMaterial, material } from "../../support/material.ts";
import { openMaterialTokenizer } from "../../support/open-material-tokenizer.ts";

/** [source token, nearest target token of the lowest id, distance, number of ties], both as the tokenizers spell them. */
type Row = [string, string, number, number];

function goldenRows(source: string, target: string): Row[] {
  const file = readFileSync(`${material}/data/golden/vocabmap_${source}__to__${target}.json.gz`);
  return JSON.parse(gunzipSync(file).toString()).rows;
}

const isByte = (token: string) => /^<0x[0-9A-F]{2}>$/.test(token);
const isSpecial = (token: string) => /^<.*>$/.test(token) && !isByte(token);
/** GPT-2 spells bytes beyond ASCII in letters of its own, which the string rule takes at face value. */
const isAscii = (token: string) => /^[\x20-\x7e]*$/.test(spoken(token));
const spoken = (token: string) => token.replaceAll(/[▁Ġ]/g, " ");
const text = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes));

/** Maps some of a source's tokens by `min-edit`, beside what FATE-LLM's rule says of them. */
function compare(source: string, target: string, chosen: (id: number, token: string) => boolean = () => true) {
  const from = openMaterialTokenizer(source).vocabulary;
  const to = openMaterialTokenizer(target).vocabulary;
  const rows = goldenRows(source, target);
  expect(rows.length).toBe(from.tokens.length);
  const ids = rows.map((_, id) => id).filter((id) => chosen(id, rows[id][0]));
  const map = mapVocabulary({ tokens: ids.map((id) => from.tokens[id]), roles: NO_ROLES }, to, "min-edit");
  return ids.map((id, index) => ({
    row: rows[id],
    found: text(to.tokens[map.targetOfSource[index]] ?? null),
    distance: map.distance[index],
    kind: map.kind[index],
  }));
}
const NO_ROLES = { bos: null, eos: null, unknown: null, pad: null };

describe("MinED beside FATE-LLM's string rule", () => {
  for (const [source, target, every, least] of [
    ["stories260k_tok512", "babyllama105", 1, 0.47],
    ["babyllama105", "stories260k_tok512", 1, 0.96],
    ["gpt2", "llama2", 97, 0.9],
    ["llama2", "gpt2", 97, 0.75],
  ] as const)
    itWithMaterial(`agrees from ${source} to ${target} on every token that is plain text on both sides`, () => {
      const compared = compare(source, target, (id) => id % every === 0);
      const comparable = source === "gpt2" || target === "gpt2" ? isAscii : () => true;
      const plain = compared.filter(
        ({ row: [from, to], found }) =>
          comparable(from) &&
          !isByte(from) &&
          !isSpecial(from) &&
          !isByte(to) &&
          !isSpecial(to) &&
          found !== null &&
          comparable(found),
      );
      expect(plain.length / compared.length).toBeGreaterThan(least);
      for (const { row, found, distance } of plain)
        expect({ token: row[0], found, distance }).toEqual({ token: row[0], found: spoken(row[1]), distance: row[2] });
    });

  itWithMaterial("knownDivergence: a byte token is its byte, not the six characters of its name", () => {
    const bytes = compare("stories260k_tok512", "babyllama105").filter(({ row: [from] }) => isByte(from));
    expect(bytes.length).toBe(256);
    for (const { row, found } of bytes) {
      expect(row[1]).toBe("<unk>");
      expect(found).not.toBeNull();
    }
    const letter = bytes.find(({ row: [from] }) => from === "<0x41>")!;
    expect([letter.found, letter.kind]).toEqual(["A", MAPPED.equal]);
  });

  itWithMaterial("knownDivergence: bytes of one character spelt in two alphabets are equal, not at a distance", () => {
    const accented = compare("gpt2", "llama2", (_, token) => token === "Ã©");
    expect(accented.map(({ row, found, kind }) => [row[2] > 0, found, kind])).toEqual([[true, "é", MAPPED.equal]]);
  });
});
