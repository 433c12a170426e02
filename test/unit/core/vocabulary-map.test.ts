import { describe, expect, it } from "@jest/globals";
import type { TokenVocabulary } from "../../../shared/src/core/alignment/token-roles.ts";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import { MAPPED } from "../../../shared/src/core/knowledge.ts";

const NO_ROLES = { bos: null, eos: null, unknown: null, pad: null };

/** A vocabulary from its tokens' texts; null is a special token. */
function vocabulary(texts: (string | null)[], roles: Partial<TokenVocabulary["roles"]> = {}): TokenVocabulary {
  return {
    tokens: texts.map((text) => (text === null ? null : new TextEncoder().encode(text))),
    roles: { ...NO_ROLES, ...roles },
  };
}

const groupsOf = (texts: (string | null)[], groupOfTarget: Int32Array, group: number) =>
  group < 0 ? null : texts.filter((_, id) => groupOfTarget[id] === group);

describe("the rule `product`", () => {
  it("prefers equal bytes, then the longest prefix, then the least edit distance", () => {
    const map = mapVocabulary(vocabulary(["the", "there", "what"]), vocabulary(["a", "th", "the", "hat"]), "product");
    expect([...map.targetOfSource]).toEqual([2, 2, 3]);
    expect([...map.kind]).toEqual([MAPPED.equal, MAPPED.prefix, MAPPED.edit]);
    expect([...map.distance]).toEqual([0, 0, 1]);
  });

  it("knownDivergence (paper and FATE-LLM): a word goes to how it begins, not to the word spelt most alike", () => {
    const source = vocabulary([" together"]);
    const target = vocabulary([" t", "gether"]);
    expect([...mapVocabulary(source, target, "product").targetOfSource]).toEqual([0]);
    expect([...mapVocabulary(source, target, "min-edit").targetOfSource]).toEqual([1]);
  });

  it("finds half a character's beginning in a byte token", () => {
    const target: TokenVocabulary = { tokens: [Uint8Array.of(0xc3), Uint8Array.of(0xa9)], roles: NO_ROLES };
    const map = mapVocabulary(vocabulary(["é"]), target, "product");
    expect([map.targetOfSource[0], map.kind[0]]).toEqual([0, MAPPED.prefix]);
  });
});

describe("the rule `min-edit`", () => {
  it("knownDivergence (FATE-LLM's random order): breaks ties by the lowest id", () => {
    const map = mapVocabulary(vocabulary(["cat"]), vocabulary(["rat", "bat", "car"]), "min-edit");
    expect([map.targetOfSource[0], map.distance[0]]).toEqual([0, 1]);
  });

  it("takes a byte that is no character for unlike every character", () => {
    const source: TokenVocabulary = { tokens: [Uint8Array.of(0xc3)], roles: NO_ROLES };
    const map = mapVocabulary(source, vocabulary(["xy", "Ã"]), "min-edit");
    expect([map.targetOfSource[0], map.distance[0]]).toEqual([1, 1]);
  });
});

describe("a byte that is no character", () => {
  it("equals itself in a distance", () => {
    const bytes = (...values: (string | number)[]) =>
      Uint8Array.from(values.map((value) => (typeof value === "string" ? value.charCodeAt(0) : value)));
    const source: TokenVocabulary = { tokens: [bytes(0xc3, "a", "a")], roles: NO_ROLES };
    const target: TokenVocabulary = { tokens: [bytes("x", "y", "z"), bytes(0xc3, "b", "b")], roles: NO_ROLES };
    const map = mapVocabulary(source, target, "min-edit");
    expect([map.targetOfSource[0], map.distance[0]]).toEqual([1, 2]);
  });
});

describe("tokens of the same bytes", () => {
  it("are one: the lowest id stands for all", () => {
    const map = mapVocabulary(vocabulary(["A", "A"]), vocabulary(["B", "A", "A"]), "product");
    expect([...map.targetOfSource]).toEqual([1, 1]);
    expect([...map.groupOfTarget]).toEqual([0, 1, 1]);
    expect([...map.groupOfSource]).toEqual([1, 1]);
  });

  it("name one group, that of what begins with them", () => {
    const map = mapVocabulary(vocabulary(["A", "A"]), vocabulary(["AB"]), "product");
    expect([...map.kind]).toEqual([MAPPED.edit, MAPPED.edit]);
    expect([...map.groupOfSource]).toEqual([0, 0]);
  });

  it("are learned as the one that the target's tokenizer writes", () => {
    const target = { ...vocabulary(["A", "A"]), unwritten: new Set([0]) };
    expect([...mapVocabulary(vocabulary(["A", "B"]), target, "min-edit").targetOfSource]).toEqual([1, 1]);
  });
});

describe("special tokens", () => {
  it("map by role, and nowhere without one", () => {
    const source = vocabulary([null, null, null, "<s>"], { bos: 0, eos: 1 });
    const target = vocabulary(["<s>", null, null], { eos: 1, bos: 2 });
    const map = mapVocabulary(source, target, "min-edit");
    expect([...map.targetOfSource]).toEqual([2, 1, -1, 0]);
    expect([...map.kind]).toEqual([MAPPED.role, MAPPED.role, MAPPED.nowhere, MAPPED.equal]);
    expect([...map.groupOfSource]).toEqual([2, 1, -1, 0]);
  });

  it("mean the end where one token opens and ends texts", () => {
    const both = vocabulary(["a", null], { bos: 1, eos: 1 });
    const apart = vocabulary([null, null, "a"], { bos: 0, eos: 1 });
    expect([...mapVocabulary(both, apart, "product").targetOfSource]).toEqual([2, 1]);
    expect([...mapVocabulary(apart, both, "product").targetOfSource]).toEqual([1, 1, 0]);
  });

  it("send their mass to the group that they name, also where they map to another's token", () => {
    const source = vocabulary([null, null], { bos: 0, pad: 0, eos: 1 });
    const target = vocabulary([null, null], { bos: 0, eos: 0, pad: 1 });
    const map = mapVocabulary(source, target, "product");
    expect([...map.targetOfSource]).toEqual([0, 0]);
    expect([...map.groupOfTarget]).toEqual([0, 1]);
    expect([...map.groupOfSource]).toEqual([1, 0]);
  });

  it("knownDivergence (FATE-LLM maps them by spelling): never map to text, nor text to them", () => {
    const map = mapVocabulary(vocabulary([null, "</s"], { eos: 0 }), vocabulary(["</s>", null], {}), "min-edit");
    expect([...map.targetOfSource]).toEqual([-1, 0]);
  });
});

describe("groups", () => {
  it("let a coarse target learn from a fine source: what begins with its character", () => {
    const target = ["t", "the", "to", "a"];
    const map = mapVocabulary(vocabulary(["t", "a", "h"]), vocabulary(target), "product");
    const learned = [...map.groupOfSource].map((group) => groupsOf(target, map.groupOfTarget, group));
    expect(learned).toEqual([["t", "the", "to"], ["a"], null]);
  });

  it("let a fine target learn from a coarse source: the mass of all words that begin with its character", () => {
    const target = ["t", "a", "h"];
    const map = mapVocabulary(vocabulary(["the", "to", "a", "t"]), vocabulary(target), "product");
    const learned = [...map.groupOfSource].map((group) => groupsOf(target, map.groupOfTarget, group));
    expect(learned).toEqual([["t"], ["t"], ["a"], ["t"]]);
  });

  it("send a token's mass to what begins with it, before a shorter beginning of it", () => {
    const target = [" t", " the", " that"];
    const map = mapVocabulary(vocabulary([" th", " t"]), vocabulary(target), "product");
    const learned = [...map.groupOfSource].map((group) => groupsOf(target, map.groupOfTarget, group));
    expect(learned).toEqual([[" the", " that"], [" t"]]);
    expect(map.targetOfSource[0]).toBe(0);
  });

  it("leave out mass that only an edit distance would place, unless the map knows nothing else", () => {
    const source = vocabulary(["x"]);
    const target = vocabulary(["y"]);
    expect([...mapVocabulary(source, target, "product").groupOfSource]).toEqual([-1]);
    expect([...mapVocabulary(source, target, "min-edit").groupOfSource]).toEqual([0]);
  });
});
