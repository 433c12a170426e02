import { describe, expect, it } from "@jest/globals";
import { trainBpe } from "../../../../cli/src/experiment/tokenizers/bpe-trainer.ts";

const words = (entries: Record<string, number>) => new Map(Object.entries(entries));

describe("training byte pair encoding", () => {
  it("joins the most frequent neighbours first, and then what was joined", () => {
    const { pieces, merges } = trainBpe(words({ low: 5, lower: 2, new: 3 }), {
      reserved: ["<s>"],
      alphabet: [..."elnorw"],
      vocabularySize: 9,
    });
    expect(merges).toEqual([
      ["l", "o"],
      ["lo", "w"],
    ]);
    expect(pieces).toEqual(["<s>", ..."elnorw", "lo", "low"]);
  });

  it("gives a tie to the pair with the lower ids", () => {
    const training = { reserved: [], alphabet: [..."abcd"], vocabularySize: 5 };
    expect(trainBpe(words({ cd: 2, ab: 2 }), training).merges).toEqual([["a", "b"]]);
  });

  it("stops where no pair occurs twice", () => {
    expect(trainBpe(words({ abc: 1 }), { reserved: [], alphabet: [..."abc"], vocabularySize: 99 }).merges).toEqual([]);
  });

  it("joins nothing across a symbol that the alphabet lacks", () => {
    const { merges } = trainBpe(words({ "a?b": 9 }), { reserved: [], alphabet: [..."ab"], vocabularySize: 9 });
    expect(merges).toEqual([]);
  });
});
