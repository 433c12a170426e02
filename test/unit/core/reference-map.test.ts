import { describe, expect, it } from "@jest/globals";
import type { TokenVocabulary } from "../../../shared/src/core/alignment/token-roles.ts";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import { InvariantError } from "../../../shared/src/core/errors.ts";
import { MAPPED } from "../../../shared/src/core/knowledge.ts";

const NO_ROLES = { bos: null, eos: null, unknown: null, pad: null };

/** A vocabulary as tokenizer.json spells it; its bytes are beside the point. */
function spelt(...strings: (string | null)[]): TokenVocabulary {
  const tokens = strings.map((string) => (string === null ? null : new TextEncoder().encode(string)));
  return { tokens, strings, roles: NO_ROLES };
}

function mapByReference(source: TokenVocabulary, target: TokenVocabulary) {
  const { targetOfSource, kind, distance } = mapVocabulary(source, target, "reference");
  return Array.from(targetOfSource, (id, token) => [target.strings![id] ?? null, kind[token], distance[token]]);
}

describe("the rule `reference`", () => {
  it("replaces the source's boundary mark by the target's wherever it stands, then takes the equal string", () => {
    const source = spelt("Ġa", "ĠĠ", "bĠc");
    const target = spelt("▁a", "▁▁", "b▁c", "Ġa");
    expect(mapByReference(source, target)).toEqual([
      ["▁a", MAPPED.equal, 0],
      ["▁▁", MAPPED.equal, 0],
      ["b▁c", MAPPED.equal, 0],
    ]);
  });

  it("takes the least edit distance in code points where no string is equal", () => {
    const map = mapByReference(spelt("▁utilize", "😀é"), spelt("▁util", "▁utilise", "é", "ab"));
    expect(map).toEqual([
      ["▁utilise", MAPPED.edit, 1],
      ["é", MAPPED.edit, 1],
    ]);
    // the last code point that one unit holds
    expect(mapByReference(spelt("\uffffab"), spelt("\uffffcd"))).toEqual([["\uffffcd", MAPPED.edit, 2]]);
  });

  it("compares special tokens and byte tokens by their spelling, as FATE-LLM does", () => {
    const map = mapByReference(spelt("</s>", "<0x0A>"), spelt("\n", "<s>", "<|endoftext|>", "0x0A"));
    expect(map).toEqual([
      ["<s>", MAPPED.edit, 1],
      ["0x0A", MAPPED.edit, 2],
    ]);
  });

  it("knownDivergence (FATE-LLM's progress bar writes a number under “total”): the token “total” maps like any other", () => {
    const map = mapByReference(spelt("Ġthe", "total", "Ġtotal"), spelt("▁the", "total", "▁total"));
    expect(map[1]).toEqual(["total", MAPPED.equal, 0]);
    expect(mapByReference(spelt("total"), spelt("a", "totals"))).toEqual([["totals", MAPPED.edit, 1]]);
  });

  it("knownDivergence (FATE-LLM fails at a tokenizer class it does not know): the mark is what tokens begin with", () => {
    const wordPiece = spelt("[CLS]", "the", "##ing");
    expect(mapByReference(spelt("Ġthe", "ing"), wordPiece)).toEqual([
      ["the", MAPPED.equal, 0],
      ["##ing", MAPPED.edit, 2],
    ]);
    expect(mapByReference(wordPiece, spelt("▁the", "▁ing"))[1]).toEqual(["▁the", MAPPED.edit, 1]);
  });

  it("knownDivergence (FATE-LLM takes ties in a random order): of equally near tokens the lowest id is taken", () => {
    const target = spelt("rat", "bat", "car", "dog");
    expect(mapByReference(spelt("cat"), target)).toEqual([["rat", MAPPED.edit, 1]]);
    const ties: [number, readonly number[]][] = [];
    mapVocabulary(spelt("cat", "dog"), target, "reference", { takeTies: (...found) => ties.push(found) });
    expect(ties).toEqual([[0, [0, 1, 2]]]);
  });

  it("knownDivergence (FATE-LLM fails at an id beyond its tokenizer): a hole maps nowhere, nothing maps to a hole", () => {
    expect(mapByReference(spelt("a", null, "b"), spelt(null, "a"))).toEqual([
      ["a", MAPPED.equal, 0],
      [null, MAPPED.nowhere, 0],
      ["a", MAPPED.edit, 1],
    ]);
    const padded = mapVocabulary(spelt("a"), spelt("a"), "reference", { only: new Set([0, 50_000]) });
    expect([...padded.targetOfSource]).toEqual([0]);
  });

  it("maps nowhere where the target has no tokens, and cannot do without strings", () => {
    expect(mapByReference(spelt("a"), spelt(null))).toEqual([[null, MAPPED.nowhere, 0]]);
    const bytes: TokenVocabulary = { tokens: [Uint8Array.of(97)], roles: NO_ROLES };
    expect(() => mapVocabulary(bytes, spelt("a"), "reference")).toThrow(InvariantError);
    expect(() => mapVocabulary(bytes, spelt("a"), "reference")).toThrow(
      expect.objectContaining({
        code: "STRINGS_MISSING",
        message: "reference map: expected the source's strings, got none",
      }),
    );
    expect(() => mapVocabulary(spelt("a"), bytes, "reference")).toThrow("expected the target's strings, got none");
  });
});

describe("a map of some tokens only", () => {
  it.each(["product", "min-edit", "reference"] as const)(
    "says of them what the full map by `%s` says, and of others nothing",
    (rule) => {
      const source = { ...spelt("a", "bc", "xyz", "<s>", "q"), roles: { ...NO_ROLES, bos: 3 } };
      const target = { ...spelt("a", "b", "xy", "<s>", "xyzz"), roles: { ...NO_ROLES, bos: 3 } };
      const full = mapVocabulary(source, target, rule);
      const only = new Set([0, 2]);
      const some = mapVocabulary(source, target, rule, { only });
      for (const field of ["targetOfSource", "kind", "distance", "groupOfSource"] as const)
        for (let id = 0; id < 5; id++)
          expect({ field, id, value: some[field][id] }).toEqual({
            field,
            id,
            value: only.has(id) ? full[field][id] : field === "kind" || field === "distance" ? 0 : -1,
          });
      expect([...some.groupOfTarget]).toEqual([...full.groupOfTarget]);
    },
  );
});
