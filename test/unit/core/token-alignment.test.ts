import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { alignByDtw } from "../../../shared/src/core/alignment/dtw.ts";
import { alignByGreedyDp } from "../../../shared/src/core/alignment/greedy-dp.ts";
import { tokenDistances } from "../../../shared/src/core/alignment/token-distances.ts";

// what FATE-LLM's functions gave for the paper's example, boundary marks removed
const llama = ["we", "util", "ize", "the", "dynamic"];
const bloom = ["we", "utilize", "the", "dynamic"];

describe("dtw", () => {
  it.each([
    ["splits", bloom, llama, [[0], [1], [2], [2], [3]]],
    ["joins", llama, bloom, [[0], [1], [2, 3], [4]]],
    ["opens alone", bloom, ["<s>", ...llama], [[0], [0], [1], [2], [2], [3]]],
    ["meets an opening", ["<s>", ...llama], bloom, [[0, 1], [2], [3, 4], [5]]],
    ["writes digits", ["1850", "but"], ["", "1", "8", "5", "0", "but"], [[0], [0], [0], [0], [0], [1]]],
  ])("pairs as FATE-LLM does where the target %s", (_, source, target, expected) => {
    expect(alignByDtw(source, target).sourcesOfTarget).toEqual(expected);
  });

  it("costs the distances of all pairs on its path", () => {
    // "unhappy" without "happy", and without "un"
    expect(alignByDtw(["un", "happy"], ["unhappy"])).toEqual({ totalCost: 5 + 2, sourcesOfTarget: [[0, 1]] });
    expect(alignByDtw(["unhappy"], ["un", "happy"])).toEqual({ totalCost: 5 + 2, sourcesOfTarget: [[0], [0]] });
    expect(alignByDtw(bloom, bloom)).toEqual({ totalCost: 0, sourcesOfTarget: [[0], [1], [2], [3]] });
  });

  it("goes on in both, on a tie, rather than in the source, and in the source rather than in the target", () => {
    expect(alignByDtw(["a", "a", "a"], ["a", "a"]).sourcesOfTarget).toEqual([[0, 1], [2]]);
    expect(alignByDtw(["a", "a"], ["a", "a", "a"]).sourcesOfTarget).toEqual([[0], [0], [1]]);
    // at the end: b–a and a–b cost as much
    expect(alignByDtw(["a", "b"], ["b", "a"])).toEqual(naiveDtw(["a", "b"], ["b", "a"]));
  });

  it.each([
    ["dtw", alignByDtw],
    ["greedy-dp", alignByGreedyDp],
  ])("has nothing to say of nothing: %s", (name, align) => {
    expect(() => align([], ["a"])).toThrow(expect.objectContaining({ code: "EMPTY_SEQUENCE" }));
    expect(() => align(["a"], [])).toThrow(`${name}: expected at least one token on each side`);
  });
});

describe("greedy-dp", () => {
  it("finds the spans that FATE-LLM's does", () => {
    const span = (targets: [number, number], sources: [number, number]) => ({ target: targets, source: sources });
    expect(alignByGreedyDp(bloom, llama)).toEqual({
      spans: [span([0, 0], [0, 0]), span([1, 2], [1, 1]), span([3, 3], [2, 2]), span([4, 4], [3, 3])],
      sourcesOfTarget: [[0], [1], [1], [2], [3]],
    });
    expect(alignByGreedyDp(llama, bloom).sourcesOfTarget).toEqual([[0], [1, 2], [3], [4]]);
  });

  it("loses a span of several tokens that opens either sequence, as FATE-LLM's does", () => {
    expect(alignByGreedyDp(["util", "ize", "the"], ["utilize", "the"]).sourcesOfTarget).toEqual([[], [2]]);
    expect(alignByGreedyDp(["utilize", "the"], ["util", "ize", "the"]).sourcesOfTarget).toEqual([[], [], [1]]);
    expect(alignByGreedyDp(["a", "utilize"], ["util", "ize"]).sourcesOfTarget).toEqual([[], []]);
  });

  it("takes no span found elsewhere for one at the beginning", () => {
    expect(alignByGreedyDp(["b", "u", "n"], ["x", "un", "ab"]).sourcesOfTarget).toEqual([[], [1, 2], []]);
  });

  it("takes the shortest span, and none of other characters", () => {
    expect(alignByGreedyDp(["x", "ab", "ab"], ["x", "abab"]).sourcesOfTarget).toEqual([[0], [1, 2]]);
    expect(alignByGreedyDp(["x", "ab", "cd"], ["x", "abce"]).sourcesOfTarget).toEqual([[0], []]);
    expect(alignByGreedyDp(["x", "ab", "c"], ["x", "a", "bd"]).sourcesOfTarget).toEqual([[0], [], []]);
  });

  it("counts characters, not their halves", () => {
    expect(alignByGreedyDp(["x", "😀", "é"], ["x", "😀é"]).sourcesOfTarget).toEqual([[0], [1, 2]]);
  });
});

/** The textbook's table. */
function naiveDistance(a: readonly string[], b: readonly string[]): number {
  const table = a.map(() => b.map(() => 0));
  const at = (i: number, j: number) => (i < 0 || j < 0 ? Math.max(i, j) + 1 : table[i][j]);
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < b.length; j++)
      table[i][j] = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i] === b[j] ? 0 : 1));
  return at(a.length - 1, b.length - 1);
}

/** The definition, cell by cell: of equal costs the diagonal, then the source's step, then the target's. */
function naiveDtw(source: readonly string[], target: readonly string[]) {
  const costs = source.map(() => target.map(() => Number.POSITIVE_INFINITY));
  const at = (i: number, j: number) => costs[i]?.[j] ?? Number.POSITIVE_INFINITY;
  const before = (i: number, j: number): [number, number][] => [
    [i - 1, j - 1],
    [i - 1, j],
    [i, j - 1],
  ];
  source.forEach((from, i) => {
    target.forEach((to, j) => {
      const least = i + j === 0 ? 0 : Math.min(...before(i, j).map(([a, b]) => at(a, b)));
      costs[i][j] = least + naiveDistance([...from], [...to]);
    });
  });
  const sourcesOfTarget: number[][] = target.map(() => []);
  let [i, j] = [source.length - 1, target.length - 1];
  const totalCost = at(i, j);
  for (;;) {
    sourcesOfTarget[j].unshift(i);
    if (i + j === 0) return { totalCost, sourcesOfTarget };
    const ways = before(i, j);
    const least = Math.min(...ways.map(([a, b]) => at(a, b)));
    [i, j] = ways.find(([a, b]) => at(a, b) === least)!;
  }
}

/** FATE-LLM's loop for the span that ends with two tokens: it stops at either beginning before it compares. */
function naiveSpan(source: readonly string[], target: readonly string[]): [targets: number, sources: number] | null {
  if (source.at(-1) === target.at(-1)) return [1, 1];
  let [targets, sources] = [1, 1];
  while (targets < target.length && sources < source.length) {
    const [left, right] = [[...target.slice(-targets).join("")], [...source.slice(-sources).join("")]];
    if (left.length === right.length) return left.join() === right.join() ? [targets, sources] : null;
    if (left.length < right.length) targets++;
    else sources++;
  }
  return null;
}

function naiveGreedyDp(source: readonly string[], target: readonly string[]) {
  const covered = [source.map(() => 1).concat(1), ...target.map(() => [0])];
  const steps: ("source" | "target" | [number, number])[][] = target.map(() => []);
  target.forEach((_, i) => {
    source.forEach((_, j) => {
      const span = naiveSpan(source.slice(0, j + 1), target.slice(0, i + 1));
      const [left, up] = [covered[i + 1][j], covered[i][j + 1]];
      const most = Math.max(left, up);
      const whole = span === null ? -1 : covered[i + 1 - span[0]][j + 1 - span[1]] + span[0];
      covered[i + 1][j + 1] = Math.max(most, whole);
      steps[i][j] = span !== null && whole >= most ? span : left >= up ? "source" : "target";
    });
  });
  const sourcesOfTarget: number[][] = target.map(() => []);
  let [i, j] = [target.length - 1, source.length - 1];
  while (i >= 0 && j >= 0) {
    const step = steps[i][j];
    if (step === "source") j--;
    else if (step === "target") i--;
    else {
      const first = j - step[1] + 1;
      for (let token = i - step[0] + 1; token <= i; token++)
        sourcesOfTarget[token] = Array.from({ length: step[1] }, (_, index) => first + index);
      [i, j] = [i - step[0], j - step[1]];
    }
  }
  return sourcesOfTarget;
}

/** A text of few letters, cut in two ways; now and then two texts. */
const letters = fc.string({ unit: fc.constantFrom("a", "b", "é", "😀"), minLength: 1, maxLength: 9 });
const cut = (text: string, ends: readonly number[]) => {
  const points = [...text];
  const sorted = [...new Set(ends.map((end) => end % points.length)), points.length].sort((a, b) => a - b);
  return sorted.map((end, index) => points.slice(sorted[index - 1] ?? 0, end).join(""));
};
const cuts = fc.array(fc.nat(8), { maxLength: 6 });
const tokenisations = fc.oneof(
  fc.tuple(letters, cuts, cuts).map(([text, one, other]) => [cut(text, one), cut(text, other)]),
  fc.tuple(letters, letters, cuts, cuts).map(([text, another, one, other]) => [cut(text, one), cut(another, other)]),
);

describe("alignments of any two sequences", () => {
  it("are by dtw what the definition gives, cost and path", () => {
    fc.assert(
      fc.property(tokenisations, ([source, target]) => {
        expect(alignByDtw(source, target)).toEqual(naiveDtw(source, target));
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it("are by greedy-dp what the reference's loops give", () => {
    fc.assert(
      fc.property(tokenisations, ([source, target]) => {
        const { spans, sourcesOfTarget } = alignByGreedyDp(source, target);
        expect(sourcesOfTarget).toEqual(naiveGreedyDp(source, target));
        for (const { source: from, target: to } of spans)
          expect(source.slice(from[0], from[1] + 1).join("")).toBe(target.slice(to[0], to[1] + 1).join(""));
      }),
      { numRuns: 500, seed: 2 },
    );
  });
});

describe("the distances of two sequences' tokens", () => {
  const matrix = (source: readonly string[], target: readonly string[]) => {
    const { sourceKinds, targetKinds, columns, distances } = tokenDistances(source, target);
    return Array.from(sourceKinds, (kind) => Array.from(targetKinds, (column) => distances[kind * columns + column]));
  };

  it.each([
    ["of few letters", ["a", "ab", "", "a"], ["b", "ab", "ba", "b"]],
    ["of no common letter", ["abc", "x"], ["def", "yz"]],
    // the 33rd letter shares its mark with the first
    ["of many letters", [..."abcdefghijklmnopqrstuvwxyz0123456789"], ["9a", "0", "zz", "{"]],
    ["as long as a machine word", ["a".repeat(32), `b${"a".repeat(31)}`], ["a".repeat(31), "b".repeat(40)]],
    ["longer than a machine word", [`${"ab".repeat(20)}c`, "ba".repeat(17)], ["ab".repeat(18), "c", "d", ""]],
    ["of characters beyond 16 bits", ["😀😁", "é"], ["😁", "é😀", "\ud83d"]],
  ])("are Levenshtein's, in code points, each pair of strings measured once: %s", (_, source, target) => {
    expect(matrix(source, target)).toEqual(source.map((from) => target.map((to) => naiveDistance([...from], [...to]))));
    expect(tokenDistances(source, target).columns).toBe(new Set(target).size);
  });
});
