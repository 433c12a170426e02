import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { rougeL } from "../../../shared/src/core/evaluation/rouge-l.ts";

const { cases } = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../fixtures/evaluation/rouge-l.json"), "utf8"),
) as { cases: { text: string; reference: string; rougeL: number }[] };

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
});
