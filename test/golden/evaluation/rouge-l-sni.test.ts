import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect } from "@jest/globals";
import { openTemplate } from "../../../shared/src/adapters/templates/open-template.ts";
import { rougeL } from "../../../shared/src/core/evaluation/rouge-l.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { readTemplatedRows } from "../../../shared/src/use-cases/templated-rows.ts";
import { itWithMaterial, material } from "../../support/material.ts";

/** What scripts/fixtures/rouge_sni.py wrote. */
const { tasks } = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../fixtures/evaluation/rouge-l-sni.json"), "utf8"),
) as { tasks: Record<string, { sha256: string; rougeL: number[] }> };

/** A task's answers, read from its own file by the template. */
function answersOf(task: string): string[] {
  const bytes = readFileSync(join(material!, "data/datasets/sni", `${task}.json`));
  expect(sha256(bytes)).toBe(tasks[task].sha256);
  return readTemplatedRows(openTemplate, "sni", bytes, `${task}.json`).map((record) =>
    record.kind === "completion" ? record.completion : "",
  );
}

describe("ROUGE-L of Super-NaturalInstructions", () => {
  itWithMaterial("is that of Python's rouge-score on each of 200 answers", () => {
    let scored = 0;
    for (const [task, { rougeL: scores }] of Object.entries(tasks)) {
      const answers = answersOf(task);
      for (const [index, expected] of scores.entries()) {
        const score = rougeL(answers[index + 1], answers[index]);
        expect({ task, index, score }).toEqual({ task, index, score: expect.closeTo(expected, 12) });
        scored++;
      }
    }
    expect(scored).toBe(200);
  });
});
