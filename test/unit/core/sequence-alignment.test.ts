import { describe, expect, it } from "@jest/globals";
import { boundaryMarkOf } from "../../../shared/src/core/alignment/boundary-mark.ts";
import { alignByDtw } from "../../../shared/src/core/alignment/dtw.ts";
import { alignByGreedyDp } from "../../../shared/src/core/alignment/greedy-dp.ts";
import { alignByEnds, alignSequences, blocksOf } from "../../../shared/src/core/alignment/sequence-alignment.ts";
import { checkSequences, MAX_TOKEN_PAIRS } from "../../../shared/src/core/alignment/sequence-limits.ts";
import { tokenSpeller } from "../../../shared/src/core/alignment/token-strings.ts";

const words = (text: string) => text.split(" ");

describe("dtw", () => {
  it("gives the docstring's example", () => {
    expect(alignByDtw(["un", "happy"], ["unhappy"])).toEqual({ totalCost: 7, sourcesOfTarget: [[0, 1]] });
  });

  it("knownDivergence (FATE-LLM's DTW): pairs “ize” with “the”, whose distance is less than to “utilize”", () => {
    const whole = words("we utilize the dynamic");
    const split = words("we util ize the dynamic");
    expect(alignByDtw(whole, split).sourcesOfTarget).toEqual([[0], [1], [2], [2], [3]]);
    expect(alignByDtw(split, whole).sourcesOfTarget).toEqual([[0], [1], [2, 3], [4]]);
  });

  it("knownDivergence (FATE-LLM's BOS asymmetry): a BOS on one side goes to the other's first word", () => {
    expect(alignByDtw(words("we utilize"), words("<s> we utilize")).sourcesOfTarget).toEqual([[0], [0], [1]]);
    expect(alignByDtw(words("<s> we utilize"), words("we utilize")).sourcesOfTarget).toEqual([[0, 1], [2]]);
  });

  it("breaks ties by both sides, then the source alone, then the target alone", () => {
    // every cell costs 1
    expect(alignByDtw(["a", "b"], ["c", "d"]).sourcesOfTarget).toEqual([[0], [1]]);
    expect(alignByDtw(["a", "b", "e"], ["c", "d"]).sourcesOfTarget).toEqual([[0, 1], [2]]);
    expect(alignByDtw(["a", "b"], ["c", "d", "e"]).sourcesOfTarget).toEqual([[0], [0], [1]]);
  });

  it("counts a pair of surrogates as one character, and tokens of more than 32 characters in full", () => {
    expect(alignByDtw(["😀"], ["a"]).totalCost).toBe(1);
    expect(alignByDtw(["a".repeat(40)], [`${"a".repeat(20)}b`]).totalCost).toBe(20);
    expect(alignByDtw([""], ["abc"]).totalCost).toBe(3);
    expect(alignByDtw(["abc"], [""]).totalCost).toBe(3);
  });

  it.each([
    ["dtw", alignByDtw],
    ["greedy-dp", alignByGreedyDp],
  ])("%s refuses no tokens, and more pairs than its memory allows, before it takes any", (name, align) => {
    expect(() => align([], ["a"])).toThrow(
      expect.objectContaining({
        code: "EMPTY_SEQUENCE",
        message: `${name}: expected at least one token on each side, got 0 of the source and 1 of the target`,
      }),
    );
    expect(() => align(["a"], [])).toThrow(/got 1 of the source and 0 of the target/);
    const long = new Array<string>(5793).fill("a");
    expect(() => align(long, long)).toThrow(
      expect.objectContaining({ code: "SEQUENCES_TOO_LONG", message: expect.stringContaining("5793 × 5793") }),
    );
  });
});

describe("greedy-dp", () => {
  it("finds the spans that write the same characters", () => {
    const { spans, sourcesOfTarget } = alignByGreedyDp(
      words("we utilize the dynamic"),
      words("we util ize the dynamic"),
    );
    expect(spans).toEqual([
      { target: [0, 0], source: [0, 0] },
      { target: [1, 2], source: [1, 1] },
      { target: [3, 3], source: [2, 2] },
      { target: [4, 4], source: [3, 3] },
    ]);
    expect(sourcesOfTarget).toEqual([[0], [1], [1], [2], [3]]);
  });

  it("knownDivergence (FATE-LLM's greedy_dp): a span of several tokens that opens the text is lost", () => {
    expect(alignByGreedyDp(words("util ize the"), words("utilize the")).sourcesOfTarget).toEqual([[], [2]]);
    expect(alignByGreedyDp(words("utilize the"), words("util ize the")).sourcesOfTarget).toEqual([[], [], [1]]);
    // one side's beginning is enough
    expect(alignByGreedyDp(words("x util ize"), words("utilize")).spans).toEqual([]);
  });

  it("takes the shortest span, and compares characters as it goes", () => {
    expect(alignByGreedyDp(words("x ab ab"), words("x a b ab")).sourcesOfTarget).toEqual([[0], [1], [1], [2]]);
    expect(alignByGreedyDp(words("x cab"), words("x c b b")).sourcesOfTarget).toEqual([[0], [], [], []]);
  });

  it("passes over tokens without characters", () => {
    expect(alignByGreedyDp(["x", "", "ab"], ["x", "a", "", "b"]).sourcesOfTarget).toEqual([[0], [2], [2], [2]]);
    expect(alignByGreedyDp(["", "a"], ["", "a"]).sourcesOfTarget).toEqual([[0], [1]]);
  });

  it("matches nothing between texts that have nothing in common", () => {
    expect(alignByGreedyDp(words("a b c"), words("d e"))).toEqual({ spans: [], sourcesOfTarget: [[], []] });
  });
});

describe("byte-offset", () => {
  it("gives each target token the source token that ends where it ends", () => {
    expect(alignByEnds([2, 10, 14], [2, 7, 10, 14])).toEqual([[0], [], [1], [2]]);
  });

  it("passes over source tokens that end where no target token does", () => {
    expect(alignByEnds([1, 2, 3], [3])).toEqual([[2]]);
  });

  it("takes the last of several tokens that end at one byte, on either side", () => {
    expect(alignByEnds([0, 0, 1, 3, 3], [0, 1, 1, 3])).toEqual([[1], [], [2], [4]]);
  });

  it("gives nothing where one side is empty", () => {
    expect(alignByEnds([], [1, 2])).toEqual([[], []]);
    expect(alignByEnds([1], [])).toEqual([]);
    expect(alignByEnds([1], [2])).toEqual([[]]);
  });
});

describe("any alignment", () => {
  it.each([
    ["byte-offset", [[1]]],
    ["dtw", [[0, 1]]],
    ["greedy-dp", [[]]],
  ] as const)("is made as it is asked for: %s", (strategy, expected) => {
    const source = { strings: ["un", "happy"], ends: [2, 7] };
    expect(alignSequences(strategy, source, { strings: ["unhappy"], ends: [7] })).toEqual(expected);
  });

  it("may have exactly as many pairs of tokens as its memory allows", () => {
    const [long, short] = [8192, 4096].map((tokens) => new Array<string>(tokens).fill("a"));
    expect(long.length * short.length).toBe(MAX_TOKEN_PAIRS);
    expect(() => checkSequences(long, short, "dtw")).not.toThrow();
    expect(() => checkSequences([...long, "a"], short, "dtw")).toThrow("got 8193 × 4096");
  });

  it("of nothing to something is nothing", () => {
    const nothing = { strings: [], ends: [] };
    const something = { strings: ["a"], ends: [1] };
    for (const strategy of ["byte-offset", "dtw", "greedy-dp"] as const) {
      expect(alignSequences(strategy, nothing, something)).toEqual([[]]);
      expect(alignSequences(strategy, something, nothing)).toEqual([]);
    }
  });

  it("parts into blocks: target tokens that share a source token, with all their source tokens", () => {
    expect(blocksOf([[0], [1], [1], [2, 3], [3]])).toEqual([
      { source: [0, 0], target: [0, 0] },
      { source: [1, 1], target: [1, 2] },
      { source: [2, 3], target: [3, 4] },
    ]);
    expect(blocksOf([[], [0], [], [1], [1, 2]])).toEqual([
      { source: [0, 0], target: [1, 1] },
      { source: [1, 2], target: [3, 4] },
    ]);
  });
});

describe("a boundary mark", () => {
  it("is what more tokens begin with, and none where none begins with either", () => {
    expect(boundaryMarkOf(["▁a", "Ġ", "▁", null, "a▁"])).toBe("▁");
    expect(boundaryMarkOf(["▁a", "Ġ", "Ġb"])).toBe("Ġ");
    expect(boundaryMarkOf(["▁", "Ġ"])).toBe("▁");
    expect(boundaryMarkOf(["a", "##b", null])).toBe("");
  });

  it("is replaced wherever it stands in a token; a hole and an id beyond the vocabulary are spelt by nothing", () => {
    const spell = tokenSpeller({ strings: ["▁a▁b", null, "c"] }, "Ġ");
    expect([0, 1, 2, 3, 0].map(spell)).toEqual(["ĠaĠb", "", "c", "", "ĠaĠb"]);
    expect(tokenSpeller({ strings: ["ab"] }, "Ġ")(0)).toBe("ab");
  });
});
