import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { codePointsOf } from "../../../shared/src/core/alignment/code-points.ts";
import { alignByDtw } from "../../../shared/src/core/alignment/dtw.ts";
import { editDistance } from "../../../shared/src/core/alignment/edit-distance.ts";
import { alignByGreedyDp } from "../../../shared/src/core/alignment/greedy-dp.ts";
import { alignByEnds, blocksOf } from "../../../shared/src/core/alignment/sequence-alignment.ts";
import { tokenDistances } from "../../../shared/src/core/alignment/token-distances.ts";
import { exponential } from "../../../shared/src/core/numeric/exponential.ts";

const token = fc.string({ unit: fc.constantFrom("a", "b", "é", "😀", "th"), maxLength: 5 });
const tokens = fc.array(token, { minLength: 1, maxLength: 7 });
const distance = (a: string, b: string) =>
  editDistance(codePointsOf(new TextEncoder().encode(a)), codePointsOf(new TextEncoder().encode(b)));

/** One text, cut in two ways. */
const twoCuts = fc.string({ unit: fc.constantFrom("a", "b", "é"), minLength: 1, maxLength: 12 }).chain((text) => {
  const cut = fc
    .uniqueArray(fc.integer({ min: 1, max: Math.max(1, text.length - 1) }), { maxLength: 6 })
    .map((places) => {
      const at = [0, ...places.filter((place) => place < text.length).sort((a, b) => a - b), text.length];
      return at.slice(1).map((end, index) => text.slice(at[index], end));
    });
  return fc.tuple(cut, cut);
});

const endsOf = (cut: readonly string[]) =>
  cut.map((_, index) => cut.slice(0, index + 1).reduce((sum, piece) => sum + piece.length, 0));

describe("distances of tokens", () => {
  it("are Levenshtein's, for strings of any length", () => {
    const long = fc.string({ unit: fc.constantFrom("a", "b", "c", "é", "😀"), maxLength: 45 });
    fc.assert(
      fc.property(fc.array(long, { maxLength: 4 }), fc.array(long, { maxLength: 4 }), (source, target) => {
        const { sourceKinds, targetKinds, columns, distances } = tokenDistances(source, target);
        for (const [i, from] of source.entries())
          for (const [j, to] of target.entries())
            expect(distances[sourceKinds[i] * columns + targetKinds[j]]).toBe(distance(from, to));
      }),
    );
  });
});

describe("dtw", () => {
  it("goes from the first pair to the last, one step at a time, at the cost it tells", () => {
    fc.assert(
      fc.property(tokens, tokens, (source, target) => {
        const { totalCost, sourcesOfTarget } = alignByDtw(source, target);
        const path = sourcesOfTarget.flatMap((sources, to) => sources.map((from) => [from, to]));
        expect(path[0]).toEqual([0, 0]);
        expect(path.at(-1)).toEqual([source.length - 1, target.length - 1]);
        for (let step = 1; step < path.length; step++) {
          const [from, to] = [path[step][0] - path[step - 1][0], path[step][1] - path[step - 1][1]];
          expect(Math.min(from, to)).toBeGreaterThanOrEqual(0);
          expect(Math.max(from, to)).toBe(1);
        }
        expect(path.reduce((sum, [from, to]) => sum + distance(source[from], target[to]), 0)).toBe(totalCost);
      }),
    );
  });

  it("costs no more than any path", () => {
    const least = (source: string[], target: string[], from: number, to: number): number => {
      if (from < 0 || to < 0) return Number.POSITIVE_INFINITY;
      const cost = distance(source[from], target[to]);
      if (from === 0 && to === 0) return cost;
      const before = [
        [from - 1, to - 1],
        [from - 1, to],
        [from, to - 1],
      ];
      return cost + Math.min(...before.map(([i, j]) => least(source, target, i, j)));
    };
    const short = fc.array(token, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(short, short, (source, target) => {
        expect(alignByDtw(source, target).totalCost).toBe(least(source, target, source.length - 1, target.length - 1));
      }),
    );
  });
});

describe("greedy-dp", () => {
  it("gives spans in order, apart from each other, that write the same characters", () => {
    fc.assert(
      fc.property(fc.oneof(twoCuts, fc.tuple(tokens, tokens)), ([source, target]) => {
        const { spans, sourcesOfTarget } = alignByGreedyDp(source, target);
        let [afterSource, afterTarget] = [0, 0];
        for (const span of spans) {
          expect(span.source[0]).toBeGreaterThanOrEqual(afterSource);
          expect(span.target[0]).toBeGreaterThanOrEqual(afterTarget);
          const write = (cut: string[], [first, last]: readonly [number, number]) =>
            cut.slice(first, last + 1).join("");
          expect(write(source, span.source)).toBe(write(target, span.target));
          [afterSource, afterTarget] = [span.source[1] + 1, span.target[1] + 1];
        }
        expect(blocksOf(sourcesOfTarget)).toEqual(spans.map(({ source, target }) => ({ source, target })));
      }),
    );
  });
});

describe("every alignment", () => {
  it("of a sequence with itself is each token with itself", () => {
    fc.assert(
      fc.property(tokens, (sequence) => {
        const itself = sequence.map((_, index) => [index]);
        expect(alignByGreedyDp(sequence, sequence).sourcesOfTarget).toEqual(itself);
        const distinct = [...new Set(sequence)];
        expect(alignByDtw(distinct, distinct)).toEqual({ totalCost: 0, sourcesOfTarget: distinct.map((_, i) => [i]) });
        const ends = endsOf(sequence.map((piece) => `${piece}x`));
        expect(alignByEnds(ends, ends)).toEqual(itself);
      }),
    );
  });

  it("by byte-offset is the same pairs in both directions, and ends at the same byte", () => {
    fc.assert(
      fc.property(twoCuts, ([source, target]) => {
        const [sourceEnds, targetEnds] = [endsOf(source), endsOf(target)];
        const there = alignByEnds(sourceEnds, targetEnds);
        const back = alignByEnds(targetEnds, sourceEnds);
        const pairs = there.flatMap((sources, to) => sources.map((from) => [from, to]));
        expect(pairs).toEqual(back.flatMap((targets, from) => targets.map((to) => [from, to])));
        for (const [from, to] of pairs) expect(sourceEnds[from]).toBe(targetEnds[to]);
        expect(pairs.length).toBe(sourceEnds.filter((end) => targetEnds.includes(end)).length);
      }),
    );
  });
});

describe("the exponential of a log-probability", () => {
  it("is Math.exp's to less than float32 can tell, and Math.exp itself outside its range", () => {
    fc.assert(
      fc.property(fc.double({ min: -40, max: 0, noNaN: true }), (x) => {
        expect(Math.abs(exponential(x) / Math.exp(x) - 1)).toBeLessThan(1e-13);
      }),
    );
    for (const x of [-41, -745, Number.NEGATIVE_INFINITY, 0.5, Number.NaN]) expect(exponential(x)).toBe(Math.exp(x));
    expect(exponential(0)).toBe(1);
  });
});
