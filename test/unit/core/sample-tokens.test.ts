import { describe, expect, it } from "@jest/globals";
import { sampleTokens } from "../../../shared/src/core/alignment/sample-tokens.ts";
import { tokenSpeller } from "../../../shared/src/core/alignment/token-strings.ts";
import { coarse, fine, shard } from "../../support/said-knowledge.ts";

describe("a shard's tokens", () => {
  it("are spelt without their boundary mark, a hole and an id beyond the vocabulary as nothing", () => {
    const spell = tokenSpeller(fine, "");
    expect([1, 3, 6, 7, 1].map(spell)).toEqual(["a", "happy", "", "", "a"]);
    expect(tokenSpeller(fine, "Ġ")(1)).toBe("Ġa");
    expect(tokenSpeller({ strings: ["a", "##b"] }, "Ġ")(1)).toBe("##b");
  });

  it("know at which of its positions something is said", () => {
    const both = shard(
      [{ id: 1, end: 1 }],
      [
        { id: 0, end: 0 },
        { id: 3, end: 2, says: [[1, 1]] },
        { id: 2, end: 9 },
      ],
    );
    expect(sampleTokens(both, 1, tokenSpeller(coarse, ""))).toEqual({
      ids: Int32Array.of(0, 3, 2),
      ends: Int32Array.of(0, 2, 9),
      rows: Int32Array.of(-1, 0, -1),
      strings: ["<e>", "b", "unhappy"],
    });
  });

  it("takes SentencePiece's mark for a vocabulary's where both are as frequent", () => {
    expect(tokenSpeller({ strings: ["▁a", "Ġb"] }, "")(0)).toBe("a");
    expect(tokenSpeller({ strings: ["▁a", "Ġb"] }, "")(1)).toBe("Ġb");
  });
});
