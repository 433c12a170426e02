import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import { MAPPED } from "../../../shared/src/core/knowledge.ts";
import { vocabulary } from "../../support/vocabulary-arbitrary.ts";

const rule = fc.constantFrom("product", "min-edit");
const key = (bytes: Uint8Array | null) => (bytes === null ? null : bytes.join());
const begins = (whole: Uint8Array | null, part: Uint8Array | null) =>
  whole !== null && part !== null && Array.from(part).every((byte, index) => whole[index] === byte);

describe("a vocabulary map", () => {
  it("takes equal bytes before anything else, and their lowest id", () => {
    fc.assert(
      fc.property(vocabulary, vocabulary, rule, (source, target, by) => {
        const map = mapVocabulary(source, target, by);
        source.tokens.forEach((bytes, id) => {
          if (bytes === null) return;
          const equal = target.tokens.findIndex((other) => key(other) === key(bytes));
          expect(map.kind[id] === MAPPED.equal).toBe(equal >= 0);
          if (equal >= 0) expect(map.targetOfSource[id]).toBe(equal);
        });
      }),
    );
  });

  it("by `product` takes the longest prefix before an edit distance", () => {
    fc.assert(
      fc.property(vocabulary, vocabulary, (source, target) => {
        const map = mapVocabulary(source, target, "product");
        source.tokens.forEach((bytes, id) => {
          const prefixes = target.tokens.filter((other) => begins(bytes, other));
          if (map.kind[id] === MAPPED.edit) expect(prefixes).toEqual([]);
          if (map.kind[id] === MAPPED.prefix)
            expect(target.tokens[map.targetOfSource[id]]!.length).toBe(
              Math.max(...prefixes.map((other) => other!.length)),
            );
        });
      }),
    );
  });

  it("is the identity between a vocabulary and itself, but for doubles and tokens without a role", () => {
    fc.assert(
      fc.property(vocabulary, rule, (own, by) => {
        const map = mapVocabulary(own, own, by);
        own.tokens.forEach((bytes, id) => {
          if (bytes === null) expect([-1, id]).toContain(map.targetOfSource[id]);
          else expect(map.targetOfSource[id]).toBe(own.tokens.findIndex((other) => key(other) === key(bytes)));
          if (map.targetOfSource[id] >= 0) expect(map.groupOfSource[id]).toBe(map.groupOfTarget[id]);
        });
        own.tokens.forEach((bytes, id) => {
          own.tokens.forEach((other, otherId) => {
            const together = map.groupOfTarget[id] === map.groupOfTarget[otherId];
            expect(together).toBe(bytes === null || other === null ? id === otherId : key(bytes) === key(other));
          });
        });
      }),
    );
  });
});

describe("groups", () => {
  it("part the target's tokens, numbered by first member", () => {
    fc.assert(
      fc.property(vocabulary, vocabulary, rule, (source, target, by) => {
        const { groupOfTarget, groups } = mapVocabulary(source, target, by);
        const seen = [...new Set(groupOfTarget)];
        expect(seen).toEqual(Array.from({ length: groups }, (_, group) => group));
      }),
    );
  });

  it("hold tokens that share their longest source prefix, and only those", () => {
    fc.assert(
      fc.property(vocabulary, vocabulary, (source, target) => {
        const { groupOfTarget } = mapVocabulary(source, target, "product");
        const longest = target.tokens.map((bytes) =>
          source.tokens
            .filter((other) => begins(bytes, other))
            .reduce((most, other) => Math.max(most, other!.length), 0),
        );
        target.tokens.forEach((bytes, id) => {
          target.tokens.forEach((other, otherId) => {
            if (bytes === null || other === null || id === otherId) return;
            const begin = key(bytes.slice(0, longest[id])) === key(other.slice(0, longest[id]));
            const same = longest[id] > 0 && longest[id] === longest[otherId] && begin;
            expect(groupOfTarget[id] === groupOfTarget[otherId]).toBe(same);
          });
        });
      }),
    );
  });

  it("get a source token's mass where they are named by it; else one prefix of it holds, or nothing does", () => {
    fc.assert(
      fc.property(vocabulary, vocabulary, (source, target) => {
        const { groupOfTarget, groupOfSource, targetOfSource, kind } = mapVocabulary(source, target, "product");
        source.tokens.forEach((bytes, id) => {
          if (bytes === null) return;
          const group = groupOfSource[id];
          const members = target.tokens.filter((_, other) => groupOfTarget[other] === group);
          const named = target.tokens.some(
            (other) =>
              begins(other, bytes) &&
              !source.tokens.some((longer) => longer !== null && longer.length > bytes.length && begins(other, longer)),
          );
          if (named) for (const member of members) expect(begins(member, bytes)).toBe(true);
          else if (kind[id] === MAPPED.prefix || kind[id] === MAPPED.equal) {
            expect(group).toBe(groupOfTarget[targetOfSource[id]]);
            expect(members.some((member) => begins(bytes, member))).toBe(true);
          } else expect(group).toBe(-1);
        });
      }),
    );
  });
});
