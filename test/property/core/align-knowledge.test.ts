import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type AlignmentSettings, alignKnowledge } from "../../../shared/src/core/alignment/align-knowledge.ts";
import { mapVocabulary } from "../../../shared/src/core/alignment/vocabulary-map.ts";
import type { AlignedKnowledge, Knowledge } from "../../../shared/src/core/knowledge.ts";
import type { Tokenizer } from "../../../shared/src/ports/tokenizer.ts";
import { knowledgeOf, type TextOrCompletion } from "../../support/knowledge-of.ts";
import { byteLevel, characters, sentencePiece } from "../../support/tiny-tokenizers.ts";

const tokenizers = [characters(), sentencePiece(), byteLevel()];
const tokenizer = fc.constantFrom(...tokenizers);
const alignment = fc.constantFrom("byte-offset", "dtw", "greedy-dp");
const temperature = fc.constantFrom(1, 2, 0.5);
const samples: fc.Arbitrary<TextOrCompletion[]> = fc.array(
  fc.record({
    prompt: fc.constant(""),
    answer: fc.string({ unit: fc.constantFrom("a", "Once", "n", " the", " ", "é"), minLength: 1, maxLength: 8 }),
    kind: fc.constantFrom("text", "completion"),
  }),
  { minLength: 1, maxLength: 3 },
);

/** Another distribution at each position, of another number of entries, some mass cut off. */
function says(of: Tokenizer, salt: number) {
  return (sample: number, position: number) => {
    let state = salt * 31 + sample * 7 + position;
    const next = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 8;
    };
    const count = 1 + (next() % 5);
    const ids = new Set<number>();
    while (ids.size < count) ids.add(next() % of.vocabulary.tokens.length);
    return { ids: [...ids], probabilities: [0.4, 0.2, 0.1, 0.05, 0.01].slice(0, count) };
  };
}

function align(
  texts: readonly TextOrCompletion[],
  source: Tokenizer,
  target: Tokenizer,
  salt: number,
  settings: AlignmentSettings,
): { aligned: AlignedKnowledge; from: Knowledge; to: Knowledge } {
  const from = knowledgeOf(texts, source, says(source, salt));
  const to = knowledgeOf(texts, target, says(target, salt));
  const map = mapVocabulary(source.vocabulary, target.vocabulary, "min-edit");
  const vocabularies = { source: source.vocabulary, target: target.vocabulary };
  return { aligned: alignKnowledge(from, to, map, vocabularies, settings), from, to };
}

const rowOf = ({ entryOffsets, entries, probabilities, tail }: AlignedKnowledge, row: number) => ({
  entries: [...entries.subarray(entryOffsets[row], entryOffsets[row + 1])],
  probabilities: [...probabilities.subarray(entryOffsets[row], entryOffsets[row + 1])],
  tail: tail[row],
});

/** Each position of each sample, with what is learned there. */
function byPosition(aligned: AlignedKnowledge): Map<string, ReturnType<typeof rowOf>> {
  const rows = new Map<string, ReturnType<typeof rowOf>>();
  for (let sample = 0; sample + 1 < aligned.positionOffsets.length; sample++)
    for (let row = aligned.positionOffsets[sample]; row < aligned.positionOffsets[sample + 1]; row++)
      rows.set(`${sample} ${aligned.positions[row]}`, rowOf(aligned, row));
  return rows;
}

describe("what is learned", () => {
  it.each(["product", "paper", "fate"] as const)(
    "by %s sums to 1 at every position, over ascending tokens, whatever the alignment",
    (transfer) => {
      fc.assert(
        fc.property(
          samples,
          tokenizer,
          tokenizer,
          fc.nat(99),
          alignment,
          temperature,
          (texts, source, target, salt, how, T) => {
            const settings = { alignment: how, transfer, learn: "token", temperature: T } as const;
            const { aligned, to } = align(texts, source, target, salt, settings);
            const { statistics } = aligned;
            aligned.positions.forEach((_, row) => {
              const { entries, probabilities, tail } = rowOf(aligned, row);
              expect(probabilities.reduce((a, b) => a + b, 0) + tail).toBeCloseTo(1, 5);
              expect(entries).toEqual([...new Set(entries)].sort((a, b) => a - b));
              expect(entries.length).toBeGreaterThan(0);
              if (transfer !== "product") expect(tail).toBe(0);
            });
            expect(statistics.targetPositions).toBe(to.positions.length);
            expect(statistics.alignedPositions).toBeLessThanOrEqual(statistics.targetPositions);
            expect(statistics.exactMass).toBeLessThanOrEqual(statistics.keptMass + 1e-6);
            expect(statistics.keptMass + statistics.unmappedMass).toBeLessThanOrEqual(
              statistics.alignedPositions + 1e-6,
            );
            const offsets = aligned.positionOffsets;
            expect(offsets.at(-1)).toBe(aligned.positions.length);
          },
        ),
      );
    },
  );

  it("by product is what byte offsets give, or nothing, whatever says which tokens belong together", () => {
    fc.assert(
      fc.property(
        samples,
        tokenizer,
        tokenizer,
        fc.nat(99),
        fc.constantFrom("dtw", "greedy-dp"),
        (texts, source, target, salt, how) => {
          const settings = { transfer: "product", learn: "token", temperature: 1 } as const;
          const bytes = byPosition(
            align(texts, source, target, salt, { ...settings, alignment: "byte-offset" }).aligned,
          );
          const words = byPosition(align(texts, source, target, salt, { ...settings, alignment: how }).aligned);
          for (const [position, row] of words) expect(row).toEqual(bytes.get(position));
        },
      ),
    );
  });

  it("between equal tokenizers is the same by every alignment: every position, the source's own entries", () => {
    fc.assert(
      fc.property(samples, tokenizer, fc.nat(99), fc.constantFrom("product", "paper"), (texts, own, salt, transfer) => {
        const settings = { transfer, learn: "token", temperature: 1 } as const;
        const bytes = align(texts, own, own, salt, { ...settings, alignment: "byte-offset" });
        for (const how of ["dtw", "greedy-dp"] as const)
          expect(align(texts, own, own, salt, { ...settings, alignment: how }).aligned).toEqual(bytes.aligned);
        expect(bytes.aligned.statistics.alignedPositions).toBe(bytes.from.positions.length);
      }),
    );
  });

  it("by paper says something at every position after which a token follows", () => {
    fc.assert(
      fc.property(samples, tokenizer, tokenizer, fc.nat(99), alignment, (texts, source, target, salt, how) => {
        const settings = { alignment: how, transfer: "paper", learn: "token", temperature: 1 } as const;
        const { aligned, to } = align(texts, source, target, salt, settings);
        // but where all that the donor says maps nowhere, as special tokens may
        const silent = to.positions.length - aligned.positions.length;
        expect(silent).toBeGreaterThanOrEqual(0);
        expect(silent).toBeLessThanOrEqual(
          aligned.statistics.unmappedMass === 0 ? 0 : aligned.statistics.alignedPositions,
        );
      }),
    );
  });

  it("does not depend on the samples beside it", () => {
    fc.assert(
      fc.property(
        samples,
        tokenizer,
        tokenizer,
        alignment,
        fc.constantFrom("product", "paper", "fate"),
        (texts, source, target, how, transfer) => {
          const settings = { alignment: how, transfer, learn: "token", temperature: 1 } as const;
          const all = align(texts, source, target, 1, settings).aligned;
          const first = align(texts.slice(0, 1), source, target, 1, settings).aligned;
          const own = byPosition(all);
          for (const [position, row] of byPosition(first)) expect(own.get(position)).toEqual(row);
          expect(all.positionOffsets[1]).toBe(first.positions.length);
        },
      ),
    );
  });
});
