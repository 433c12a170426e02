import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import type { AlignedKnowledge } from "../../../shared/src/core/knowledge.ts";
import type { Tokenizer } from "../../../shared/src/ports/tokenizer.ts";
import { alignByByteOffset } from "../../support/align-by-byte-offset.ts";
import { knowledgeOf } from "../../support/knowledge-of.ts";
import { byteLevel, characters, sentencePiece } from "../../support/tiny-tokenizers.ts";

const tokenizers = [characters(), sentencePiece(), byteLevel()];
const tokenizer = fc.constantFrom(...tokenizers);
const K = 5;

const samples = fc.array(
  fc.record({
    prompt: fc.string({ unit: fc.constantFrom("a", "O", "n", "c", "e", " ", "the", "é"), maxLength: 4 }),
    answer: fc.string({ unit: fc.constantFrom("a", "Once", "n", " the", " ", "日"), minLength: 1, maxLength: 8 }),
    kind: fc.constantFrom("text", "completion"),
  }),
  { minLength: 1, maxLength: 4 },
);
const sampled = samples.map((list) =>
  list.map((sample) => (sample.kind === "text" ? { ...sample, prompt: "" } : sample)),
);

/** Random but fixed: another distribution at each position, some mass cut off. */
function says(of: Tokenizer, salt: number) {
  return (sample: number, position: number) => {
    const ids: number[] = [];
    let state = salt * 31 + sample * 7 + position;
    while (ids.length < K) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const id = (state >>> 8) % of.vocabulary.tokens.length;
      if (!ids.includes(id)) ids.push(id);
    }
    return { ids, probabilities: [0.4, 0.2, 0.1, 0.05, 0.01] };
  };
}

const rows = ({ entries, probabilities, entryOffsets, tail }: AlignedKnowledge) =>
  [...tail].map((rest, row) => ({
    entries: [...entries.subarray(entryOffsets[row], entryOffsets[row + 1])],
    probabilities: [...probabilities.subarray(entryOffsets[row], entryOffsets[row + 1])],
    tail: rest,
  }));

describe("aligned knowledge", () => {
  it("keeps all mass: entries and tail sum to 1 at every position, and statistics add up", () => {
    fc.assert(
      fc.property(
        sampled,
        tokenizer,
        tokenizer,
        fc.nat(99),
        fc.constantFrom("group", "token"),
        fc.constantFrom("product", "min-edit"),
        fc.constantFrom(1, 2, 0.5),
        (texts, source, target, salt, learn, rule, temperature) => {
          const map = mapVocabulary(source.vocabulary, target.vocabulary, rule);
          const from = knowledgeOf(texts, source, says(source, salt));
          const to = knowledgeOf(texts, target, says(target, salt));
          const aligned = alignByByteOffset([from, source], [to, target], map, learn, temperature);
          const { statistics } = aligned;
          let kept = 0;
          for (const { entries, probabilities, tail } of rows(aligned)) {
            const sum = probabilities.reduce((a, b) => a + b, 0);
            expect(sum + tail).toBeCloseTo(1, 5);
            expect(probabilities.every((mass) => mass > 0)).toBe(true);
            expect(entries).toEqual([...new Set(entries)].sort((a, b) => a - b));
            expect(
              entries.every(
                (entry) => entry >= 0 && entry < (learn === "group" ? map.groups : target.vocabulary.tokens.length),
              ),
            ).toBe(true);
            kept += sum;
          }
          expect(statistics.keptMass).toBeCloseTo(kept, 4);
          expect(statistics.exactMass).toBeLessThanOrEqual(statistics.keptMass + 1e-9);
          expect(statistics.keptMass + statistics.unmappedMass).toBeLessThanOrEqual(statistics.alignedPositions + 1e-6);
          expect(statistics.alignedPositions).toBeLessThanOrEqual(statistics.targetPositions);
          expect(aligned.positions.length).toBe(aligned.positionOffsets.at(-1));
          expect(aligned.positions.length).toBeLessThanOrEqual(statistics.alignedPositions);
        },
      ),
    );
  });

  it("between equal tokenizers is the source's own: every position, every entry", () => {
    fc.assert(
      fc.property(
        sampled,
        fc.constantFrom(characters(), byteLevel()),
        fc.nat(99),
        fc.constantFrom("group", "token"),
        (texts, own, salt, learn) => {
          const map = mapVocabulary(own.vocabulary, own.vocabulary, "product");
          const from = knowledgeOf(texts, own, says(own, salt));
          const aligned = alignByByteOffset([from, own], [from, own], map, learn);
          expect(aligned.statistics.alignedPositions).toBe(from.positions.length);
          expect([...aligned.positions]).toEqual([...from.positions]);
          rows(aligned).forEach(({ entries, probabilities, tail }, row) => {
            const ids = [...from.topIds.subarray(row * K, (row + 1) * K)];
            const expected = ids
              .map((id, k) => ({
                entry: learn === "group" ? map.groupOfTarget[id] : id,
                mass: Math.exp(from.topLogProbs[row * K + k]),
              }))
              .sort((a, b) => a.entry - b.entry);
            expect(entries).toEqual(expected.map(({ entry }) => entry));
            for (const [index, { mass }] of expected.entries()) expect(probabilities[index]).toBeCloseTo(mass, 6);
            expect(tail).toBeCloseTo(from.tailMass[row], 6);
          });
          expect(aligned.statistics.exactMass).toBeCloseTo(aligned.statistics.keptMass, 6);
          expect(aligned.statistics.unmappedMass).toBe(0);
        },
      ),
    );
  });

  it("pairs the same places in both directions", () => {
    fc.assert(
      fc.property(sampled, tokenizer, tokenizer, fc.nat(99), (texts, one, other, salt) => {
        const left = knowledgeOf(texts, one, says(one, salt));
        const right = knowledgeOf(texts, other, says(other, salt));
        const there = alignByByteOffset(
          [left, one],
          [right, other],
          mapVocabulary(one.vocabulary, other.vocabulary, "min-edit"),
          "token",
        );
        const back = alignByByteOffset(
          [right, other],
          [left, one],
          mapVocabulary(other.vocabulary, one.vocabulary, "min-edit"),
          "token",
        );
        expect(there.statistics.alignedPositions).toBe(back.statistics.alignedPositions);
      }),
    );
  });
});
