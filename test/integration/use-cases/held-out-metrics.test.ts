import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { FileMaterial } from "../../../shared/src/adapters/material/file-material.ts";
import { openTokenizer } from "../../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import type { Score } from "../../../shared/src/contracts/summary.ts";
import { encodeSample } from "../../../shared/src/core/alignment/encode-sample.ts";
import { rougeL } from "../../../shared/src/core/evaluation/rouge-l.ts";
import type { Tokenizer } from "../../../shared/src/ports/tokenizer.ts";
import { GREEDY, generateText } from "../../../shared/src/use-cases/generate-text.ts";
import { readOutput } from "../../../shared/src/use-cases/job-outputs.ts";
import { runBaseline } from "../../../shared/src/use-cases/run-baseline.ts";
import { type StageRun, stageRun } from "../../support/run-stages.ts";
import { engine } from "../../support/shared-engine.ts";
import { plan } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

const ROWS = [
  { before: "the ship", after: " waits at the quay" },
  { before: "a quiet", after: " shore" },
  { before: "the nurse", after: " and the crew" },
];
const TEMPLATE = { prompt: "{{ before }}", completion: "{{ after }}" };
const MAX_TOKENS = 6;

describe("a held-out set's metrics", () => {
  let folder: string;
  let run: StageRun;
  let spec: TinySpec;
  let scores: Score[];
  let tokenizer: Tokenizer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "held-out-metrics-"));
    const file = join(folder, "rows.jsonl");
    spec = writeTinyFederation(folder);
    const read = (name: string) => new FileMaterial().read(join(spec.clients[0].model, name), 1 << 24);
    tokenizer = openTokenizer(await read("tokenizer.json"), await read("config.json"), "ships");
    ROWS[0].after = await answerTo(ROWS[0].before);
    const others = ["no such thing", await answerTo(ROWS[1].before)];
    const rows = ROWS.map((row, index) => (index === 1 ? { ...row, others } : { ...row, others: [] }));
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const data = { path: file, template: TEMPLATE };
    const choices = { prompt: "{{ before }}", choices: ["{{ after }}", " a", " the crew sings"], correct: "{{ 0 }}" };
    spec = {
      ...spec,
      evaluation: [
        { name: "usual", data },
        { name: "loss", data, metrics: ["token-accuracy", "nats-per-token", "bits-per-byte"] },
        { name: "answers", data, task: "generation", maxTokens: MAX_TOKENS },
        {
          ...{ name: "several", task: "generation", maxTokens: MAX_TOKENS },
          data: { path: file, template: { ...TEMPLATE, references: "{{ others }}" } },
        },
        { name: "stopped", data, task: "generation", maxTokens: MAX_TOKENS, stop: "e", metrics: ["rouge-l"] },
        {
          ...{ name: "choices", task: "multiple-choice", data: { path: file, template: choices } },
          metrics: ["accuracy", "accuracy-by-characters", "accuracy-by-length"],
        },
      ],
    };
    run = stageRun();
    await plan(run, spec);
    await runBaseline(run.deps)({ run: "tiny", party: "ships", baseline: "zero-shot" });
    const bytes = await readOutput(run.deps, "runs/tiny/parties/ships/baselines/zero-shot", "scores.json");
    scores = JSON.parse(new TextDecoder().decode(bytes));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const openModel = () =>
    engine.open({ folder: spec.clients[0].model, lora: null, adapter: null, seed: 0, threads: 1 });
  const answerTo = async (prompt: string, stop: readonly string[] = []) => {
    const model = await openModel();
    let text = "";
    const pieces = generateText({ model, tokenizer }, { ...GREEDY, prompt, maxTokens: MAX_TOKENS, stop });
    for (let next = await pieces.next(); ; next = await pieces.next()) {
      text += next.value.text;
      if (next.done) break;
    }
    await model.close();
    return text;
  };
  const of = (set: string) => scores.filter((score) => score.set === set);
  const scoreOf = (set: string, metric: string) => of(set).find((score) => score.metric === metric)!.value;

  it("are told as they were asked for, and else as the task usually is", () => {
    expect(scores.map(({ set, metric }) => `${set}: ${metric}`)).toEqual([
      "usual: bits-per-byte",
      "loss: token-accuracy",
      "loss: nats-per-token",
      "loss: bits-per-byte",
      "answers: rouge-l",
      "answers: exact-match",
      "several: rouge-l",
      "several: exact-match",
      "stopped: rouge-l",
      "choices: accuracy",
      "choices: accuracy-by-characters",
      "choices: accuracy-by-length",
    ]);
    expect(scoreOf("loss", "bits-per-byte")).toBe(scoreOf("usual", "bits-per-byte"));
  });

  it("count losses and first choices of all answer tokens, EOS among them", async () => {
    const model = await openModel();
    let [nats, tokens, right, bytes] = [0, 0, 0, 0];
    for (const [index, { before, after }] of ROWS.entries()) {
      const sample = {
        id: new Uint8Array(16),
        kind: "completion" as const,
        prompt: before,
        answer: after,
        line: index,
      };
      const { ids, answer, answerBytes } = encodeSample(sample, tokenizer, 64);
      const logits = await model.logits(ids);
      const size = model.vocabularySize;
      for (let token = 1; token < ids.length; token++) {
        if (!answer[token]) continue;
        const row = logits.subarray((token - 1) * size, token * size);
        nats += Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - row[ids[token]];
        if (row.indexOf(Math.max(...row)) === ids[token]) right++;
        tokens++;
      }
      bytes += answerBytes;
    }
    await model.close();
    expect(scoreOf("loss", "nats-per-token")).toBeCloseTo(nats / tokens, 5);
    expect(scoreOf("loss", "bits-per-byte")).toBeCloseTo(nats / bytes / Math.LN2, 5);
    expect(scoreOf("loss", "token-accuracy")).toBe(right / tokens);
    // the first row is the model's own: its tokens, but for EOS, are its first choices
    expect(right).toBeGreaterThan(0);
  });

  it.each([
    ["answers", []],
    ["stopped", ["e"]],
  ])("score the greedy answers of %s, ended after maxTokens, by EOS or by stop", async (set, stop) => {
    let [rouge, exact] = [0, 0];
    for (const { before, after } of ROWS) {
      const text = await answerTo(before, stop);
      rouge += rougeL(text.trim(), after.trim());
      exact += text.trim() === after.trim() ? 1 : 0;
    }
    expect(rouge).toBeGreaterThan(0);
    expect(scoreOf(set, "rouge-l")).toBe(rouge / ROWS.length);
    if (set === "answers") expect(scoreOf(set, "exact-match")).toBe(exact / ROWS.length);
  });

  it("score an answer by the best of several references, of which one is the model's own here", async () => {
    const [second, third] = [await answerTo(ROWS[1].before), await answerTo(ROWS[2].before)];
    expect(rougeL(second.trim(), ROWS[1].after.trim())).toBeLessThan(1);
    expect(scoreOf("several", "rouge-l")).toBe((2 + rougeL(third.trim(), ROWS[2].after.trim())) / ROWS.length);
    expect(scoreOf("several", "exact-match")).toBe(2 / ROWS.length);
  });
});

describe("a held-out set of answers", () => {
  it("is refused where it holds texts, before the run begins", async () => {
    const folder = mkdtempSync(join(tmpdir(), "held-out-texts-"));
    try {
      const file = join(folder, "texts.jsonl");
      writeFileSync(file, '{"text":"the ship"}\n');
      const spec = {
        ...writeTinyFederation(folder),
        evaluation: [{ name: "answers", data: file, task: "generation" as const }],
      };
      await expect(plan(stageRun(), spec)).rejects.toThrow(
        expect.objectContaining({
          code: "NOT_A_PROMPT",
          message: `evaluation answers: ${file}: expected prompts with their completions, got texts`,
        }),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
