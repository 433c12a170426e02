import { describe, expect, it } from "@jest/globals";
import { isWorse } from "../../../shared/src/core/evaluation/judge-round.ts";

describe("a round that is judged", () => {
  it("counts where it made the party better, or left it as it was", () => {
    expect(isWorse({ before: 2, after: 1.9, tolerance: 0 })).toBe(false);
    expect(isWorse({ before: 2, after: 2, tolerance: 0 })).toBe(false);
  });

  it("is undone where it made the party worse, however little", () => {
    expect(isWorse({ before: 2, after: 2 + 1e-12, tolerance: 0 })).toBe(true);
  });

  it("may make the party worse by the tolerance, and by no more", () => {
    expect(isWorse({ before: 2, after: 2.25, tolerance: 0.25 })).toBe(false);
    expect(isWorse({ before: 2, after: 2.26, tolerance: 0.25 })).toBe(true);
  });
});
