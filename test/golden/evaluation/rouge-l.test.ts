import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { bestRougeL, rougeL } from "../../../shared/src/core/evaluation/rouge-l.ts";

const { cases, best } = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../fixtures/evaluation/rouge-l.json"), "utf8"),
) as {
  cases: { text: string; reference: string; rougeL: number }[];
  best: { text: string; references: string[]; rougeL: number }[];
};

describe("ROUGE-L", () => {
  it("is that of Python's rouge-score for every pair of texts", () => {
    expect(cases.length).toBeGreaterThan(40);
    for (const { text, reference, rougeL: expected } of cases)
      expect({ text, reference, score: rougeL(text, reference) }).toEqual({
        text,
        reference,
        score: expect.closeTo(expected, 12),
      });
  });

  it("is that of Python's rouge-score for texts with several references, of which the best counts", () => {
    expect(best.filter(({ references }) => references.length > 1).length).toBeGreaterThan(30);
    for (const { text, references, rougeL: expected } of best)
      expect({ text, score: bestRougeL(text, references) }).toEqual({ text, score: expect.closeTo(expected, 12) });
    const isFirst = ({ text, references }: (typeof best)[number]) =>
      bestRougeL(text, references) === rougeL(text, references[0]!);
    expect(best.filter(isFirst).length).toBeLessThan(best.length - 10);
  });
});
