import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { FileMaterial } from "../../../shared/src/adapters/material/file-material.ts";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { runBaseline } from "../../../shared/src/use-cases/run-baseline.ts";
import { type StageRun, stageRun } from "../../support/run-stages.ts";
import { engine } from "../../support/shared-engine.ts";
import { plan } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

const QUESTIONS = [
  { question: "the ship waits at the", choices: ["quay", "ward", "night"], answer: 0 },
  { question: "the nurse and the", choices: ["crew", "doctor"], answer: "doctor" },
  { question: "ropes hold the", choices: ["ward", "ship"], answer: 1 },
];

describe("a multiple-choice evaluation set", () => {
  let folder: string;
  let run: StageRun;
  let spec: TinySpec;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "multiple-choice-"));
    const file = join(folder, "questions.jsonl");
    writeFileSync(file, QUESTIONS.map((question) => `${JSON.stringify(question)}\n`).join(""));
    spec = { ...writeTinyFederation(folder), evaluation: [{ name: "questions", data: file, task: "multiple-choice" }] };
    run = stageRun();
    await plan(run, spec);
    await runBaseline(run.deps)({ run: "tiny", party: "ships", baseline: "zero-shot" });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is answered by the likeliest text after the prompt, summed over the choice's own tokens", async () => {
    const scores = JSON.parse(
      new TextDecoder().decode(
        await readOutput(run.deps, "runs/tiny/parties/ships/baselines/zero-shot", "scores.json"),
      ),
    );
    const model = spec.clients[0].model;
    const read = (name: string) => new FileMaterial().read(join(model, name), 1 << 24);
    const tokenizer = openTokenizer(await read("tokenizer.json"), await read("config.json"), "ships");
    const opened = await engine.open({ folder: model, lora: null, adapter: null, seed: 0, threads: 1 });
    // by hand: log-softmax of the logits at the tokens that end beyond the prompt
    let right = 0;
    for (const { question, choices, answer } of QUESTIONS) {
      const losses = [];
      for (const choice of choices) {
        const { ids, ends } = tokenizer.encode(`${question} ${choice}`);
        const all = Int32Array.of(tokenizer.vocabulary.roles.bos!, ...ids);
        const logits = await opened.logits(all);
        const size = opened.vocabularySize;
        let nats = 0;
        for (let token = 0; token < ids.length; token++) {
          if (ends[token] <= question.length) continue;
          const row = logits.subarray(token * size, (token + 1) * size);
          nats += Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - row[ids[token]];
        }
        losses.push(nats);
      }
      const correct = typeof answer === "number" ? answer : choices.indexOf(answer);
      if (losses.indexOf(Math.min(...losses)) === correct) right++;
    }
    await opened.close();
    const accuracy = scores.find(({ metric }: { metric: string }) => metric === "accuracy");
    expect(accuracy).toMatchObject({
      party: "ships",
      set: "questions",
      variant: "zero-shot",
      value: right / QUESTIONS.length,
    });
    expect(scores.map(({ metric }: { metric: string }) => metric)).toEqual(["accuracy", "accuracy-by-length"]);
  });
});
