import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createEngine } from "../../../shared/src/engine/engine.ts";
import { writeJsonLines } from "../../../shared/src/formats/jsonl.ts";
import { callCli, remove, write } from "../../support/cli.ts";
import { material, smolLm2 } from "../../support/material.ts";

interface Answer {
  correct: number;
  acc: number;
  acc_norm: number;
  nats: number[];
}

/** What scripts/fixtures/arc_easy.py wrote. */
const reference = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../fixtures/evaluation/arc-easy.json"), "utf8"),
) as { acc: number; acc_norm: number; answers: Answer[] };

const RECORD =
  /^Please choose the correct answer to the question: (.*)\n\n(Answer1: .*)\n\nAnswer format: [a-z0-9/]+$/s;

/** The questions as the script asks them. */
function readQuestions(folder: string): object[] {
  const file = join(folder, "data/datasets/arc_easy/train.json");
  const records = JSON.parse(readFileSync(file, "utf8")) as { instruction: string; answer: string }[];
  return records.slice(0, reference.answers.length).map(({ instruction, answer }) => {
    const [, question, choices] = RECORD.exec(instruction)!;
    return {
      prompt: `Question: ${question}\nAnswer:`,
      choices: choices.split(/\s*Answer\d: /).slice(1),
      answer: Number(answer.slice(6)) - 1,
    };
  });
}

const folder = mkdtempSync(join(tmpdir(), "fedmkt-arc-"));
afterAll(() => remove(folder));
// skipped, and so reported, where SmolLM2-135M (FEDMKT_SMOLLM2) or the questions are not there
const itWithBoth = material === null || smolLm2 === null ? it.skip : it;

describe("ARC-Easy with SmolLM2-135M", () => {
  itWithBoth(
    "is answered as transformers answers it, question for question, by acc and by acc_norm",
    async () => {
      write(folder, "arc.jsonl", writeJsonLines(readQuestions(material!)));
      const argv = ["evaluate", smolLm2!, "--data", "arc.jsonl", "--task", "multiple-choice", "--output", "out.jsonl"];
      const { exitCode, stdout } = await callCli(folder, [...argv, "--threads", "1", "--json"], {
        createEngine: async (device) => createEngine(device),
      });
      expect(exitCode).toBe(0);
      const { acc, acc_norm } = JSON.parse(stdout).data;
      expect({ acc, acc_norm }).toEqual({ acc: reference.acc, acc_norm: reference.acc_norm });
      const lines = readFileSync(join(folder, "out.jsonl"), "utf8").trimEnd().split("\n");
      expect(lines).toHaveLength(reference.answers.length);
      for (const [index, line] of lines.entries()) {
        const { correct, likeliest, byCharacters, nats } = JSON.parse(line);
        const expected = reference.answers[index];
        expect({ index, correct, acc: likeliest, acc_norm: byCharacters }).toEqual({
          index,
          correct: expected.correct,
          acc: expected.acc,
          acc_norm: expected.acc_norm,
        });
        for (const [choice, loss] of expected.nats.entries()) expect(Math.abs(nats[choice] - loss)).toBeLessThan(2e-3);
      }
    },
    600_000,
  );
});
