import { describe, expect, it } from "@jest/globals";
import { alignByEnds, alignSequences, blocksOf } from "../../../shared/src/core/alignment/sequence-alignment.ts";
import { checkSequences, MAX_TOKEN_PAIRS } from "../../../shared/src/core/alignment/sequence-limits.ts";

const sequence = (strings: string[], ends: number[]) => ({ strings, ends });

describe("tokens that end at the same byte", () => {
  it.each<[string, number[], number[], number[][]]>([
    ["are paired, others are not", [2, 5, 7], [5, 6, 7], [[1], [], [2]]],
    ["are each side's last of several", [0, 0, 3, 3], [0, 0, 0, 3, 3], [[], [], [1], [], [3]]],
    ["may be the text's beginning", [-1, 2], [-1, 0, 2], [[0], [], [1]]],
    ["may be none", [1, 3], [2, 4], [[], []]],
    ["need a source", [], [1, 2], [[], []]],
    ["need a target", [1, 2], [], []],
    ["are found behind a source that goes on", [1, 2, 3, 4], [4], [[3]]],
    ["are found where the target goes on", [4], [1, 2, 4, 5], [[], [], [0], []]],
  ])("%s", (_, source, target, expected) => {
    expect(alignByEnds(source, target)).toEqual(expected);
    expect(alignSequences("byte-offset", sequence([], source), sequence([], target))).toEqual(expected);
  });
});

describe("an alignment", () => {
  const source = sequence(["a", "un", "happy"], [1, 3, 8]);
  const target = sequence(["a", "unh", "appy"], [1, 4, 8]);

  it("goes by the strategy that is asked for", () => {
    expect(alignSequences("byte-offset", source, target)).toEqual([[0], [], [2]]);
    expect(alignSequences("dtw", source, target)).toEqual([[0], [1], [2]]);
    expect(alignSequences("greedy-dp", source, target)).toEqual([[0], [1, 2], [1, 2]]);
  });

  it.each(["byte-offset", "dtw", "greedy-dp"] as const)("of nothing with something pairs nothing: %s", (strategy) => {
    expect(alignSequences(strategy, sequence([], []), target)).toEqual([[], [], []]);
    expect(alignSequences(strategy, source, sequence([], []))).toEqual([]);
  });

  it("has blocks: target tokens that share a source token, and all their source tokens", () => {
    const block = (first: number, last: number, firstTarget: number, lastTarget: number) => ({
      source: [first, last],
      target: [firstTarget, lastTarget],
    });
    expect(blocksOf([[0], [1], [1], [2, 3]])).toEqual([block(0, 0, 0, 0), block(1, 1, 1, 2), block(2, 3, 3, 3)]);
    expect(blocksOf([[0, 1], [1, 2], [2], [3]])).toEqual([block(0, 2, 0, 2), block(3, 3, 3, 3)]);
    expect(blocksOf([[], [0], [], [0]])).toEqual([block(0, 0, 1, 1), block(0, 0, 3, 3)]);
    expect(blocksOf([])).toEqual([]);
  });
});

describe("sequences to be aligned token by token", () => {
  it.each([
    [0, 3],
    [2, 0],
  ])("have tokens on both sides: %d and %d", (sources, targets) => {
    expect(() => checkSequences(new Array(sources).fill("a"), new Array(targets).fill("a"), "dtw")).toThrow(
      expect.objectContaining({
        name: "InvalidInputError",
        code: "EMPTY_SEQUENCE",
        message: `dtw: expected at least one token on each side, got ${sources} of the source and ${targets} of the target`,
      }),
    );
  });

  it("are refused where they have more pairs than memory is given to", () => {
    const tokens = (count: number) => new Array<string>(count).fill("a");
    const most = MAX_TOKEN_PAIRS / 4;
    expect(() => checkSequences(tokens(4), tokens(most), "dtw")).not.toThrow();
    expect(() => checkSequences(tokens(4), tokens(most + 1), "greedy-dp")).toThrow(
      expect.objectContaining({
        name: "InvalidInputError",
        code: "SEQUENCES_TOO_LONG",
        message: `greedy-dp: expected at most 33554432 pairs of tokens in one text, got 4 × ${most + 1}; cut the text, or align by byte-offset`,
      }),
    );
  });
});
