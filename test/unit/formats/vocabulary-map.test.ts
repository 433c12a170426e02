import { describe, expect, it } from "@jest/globals";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import type { VocabularyMap } from "../../../shared/src/core/knowledge.ts";
import { readVocabularyMap, writeVocabularyMap } from "../../../shared/src/formats/vocabulary-map.ts";
import { makeMap, mapHeader } from "../../support/aligned.ts";

describe("a vocabulary map", () => {
  it("comes back as it was written", () => {
    const file = writeVocabularyMap(makeMap(), mapHeader);
    expect(readVocabularyMap(file, "map", { ...mapHeader, rule: "product" })).toEqual(makeMap());
  });

  it("of other tokenizers or another rule is refused with both named", () => {
    const file = writeVocabularyMap(makeMap(), mapHeader);
    expect(() => readVocabularyMap(file, "map", { sourceTokenizerHash: "a".repeat(64) })).toThrow(
      new InvalidInputError(
        "MAP_MISMATCH",
        `map: expected sourceTokenizerHash ${"a".repeat(64)}, got ${"2".repeat(64)}`,
      ),
    );
    expect(() => readVocabularyMap(file, "map", { rule: "min-edit" })).toThrow("expected rule min-edit, got product");
  });

  it.each<[string, (map: VocabularyMap) => void, string]>([
    [
      "a target that does not exist",
      (m) => m.targetOfSource.fill(4, 1, 2),
      "source token 1: expected a target from −1 to 3, got 4",
    ],
    [
      "a target below −1",
      (m) => m.targetOfSource.fill(-2, 0, 1),
      "source token 0: expected a target from −1 to 3, got -2",
    ],
    [
      "a kind that does not exist",
      (m) => m.kind.fill(5, 1, 2),
      "source token 1: expected a kind that fits target 0, got 5",
    ],
    [
      "a kind that does not fit its target",
      (m) => m.kind.fill(1, 0, 1),
      "source token 0: expected a kind that fits target -1, got 1",
    ],
    [
      "a distance where nothing was edited",
      (m) => m.distance.fill(1, 1, 2),
      "source token 1: expected a distance that fits kind 1, got 1",
    ],
    [
      "groups out of order",
      (m) => m.groupOfTarget.fill(2, 1, 2),
      "target token 1: expected a group from 0 to 1, got 2",
    ],
    ["another number of groups", (m) => Object.assign(m, { groups: 2 }), "expected 2 groups, got 3"],
    [
      "mass for a group that does not exist",
      (m) => m.groupOfSource.fill(3, 4),
      "source token 4: expected a group from −1 to 2, got 3",
    ],
    [
      "arrays of unequal length",
      (m) => Object.assign(m, { kind: new Uint8Array(4) }),
      "tensor kind: expected shape [5], got [4]",
    ],
  ])("with %s is refused by token", (_, change, message) => {
    const map = makeMap();
    change(map);
    expect(() => writeVocabularyMap(map, mapHeader)).toThrow(InvalidInputError);
    expect(() => writeVocabularyMap(map, mapHeader)).toThrow(message);
  });
});
