import { describe, expect, it } from "@jest/globals";
import { readRunSpec } from "../../../shared/src/contracts/read-run-spec.ts";
import { metricsOf, SCORE_METRIC_NAMES, TASKS } from "../../../shared/src/contracts/score-metrics.ts";
import { InvalidSpecError } from "../../../shared/src/contracts/spec-mistake.ts";
import { SPEC } from "../../support/spec.ts";

/** The spec with other held-out sets. */
const withSet = (set: string) =>
  SPEC.replace(/evaluation:[\s\S]*?(?=\n\S|$)/, `evaluation:\n  - { name: held, ${set} }`);

function mistakesIn(set: string): string[] {
  try {
    readRunSpec(withSet(set), "run.yaml");
  } catch (error) {
    if (!(error instanceof InvalidSpecError)) throw error;
    return error.mistakes.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

describe("a held-out set of a spec", () => {
  it("has a task, and of that task the metrics, the answers' length and what ends them", () => {
    const set = "data: a.jsonl, task: generation, metrics: [exact-match], maxTokens: 16, stop: '.'";
    expect(readRunSpec(withSet(set), "run.yaml").evaluation).toEqual([
      {
        ...{ name: "held", data: { path: "a.jsonl" }, task: "generation" },
        ...{ metrics: ["exact-match"], maxTokens: 16, stop: "." },
      },
    ]);
    expect(readRunSpec(withSet("data: a.jsonl"), "run.yaml").evaluation[0]).toEqual({
      ...{ name: "held", data: { path: "a.jsonl" }, task: "text" },
    });
  });

  it.each([
    [
      "metrics: [accuracy]",
      "metrics[0]: a set of task text has the metrics bits-per-byte, nats-per-token, token-accuracy, not accuracy",
    ],
    [
      "task: multiple-choice, metrics: [accuracy, rouge-l]",
      "metrics[1]: a set of task multiple-choice has the metrics accuracy, accuracy-by-length, accuracy-by-characters, not rouge-l",
    ],
    [
      "task: generation, metrics: [perplexity]",
      `metrics[0]: expected one of ${SCORE_METRIC_NAMES.map((name) => `"${name}"`).join(", ")}, got "perplexity"`,
    ],
    ["metrics: []", "metrics: expected at least 1 item, got []"],
    ["maxTokens: 8", "maxTokens: is of task generation; this set's task is text"],
    ["task: multiple-choice, stop: a", "stop: is of task generation; this set's task is multiple-choice"],
    ["task: guessing, maxTokens: 8", 'task: expected one of "text", "multiple-choice", "generation", got "guessing"'],
  ])("refuses %s", (set, mistake) => {
    expect(mistakesIn(`data: a.jsonl, ${set}`)).toEqual([`evaluation[0].${mistake}`]);
  });

  it("is scored by what its task usually is, unless it names metrics", () => {
    expect(TASKS.map((task) => metricsOf(task, "usual"))).toEqual([
      ["bits-per-byte"],
      ["accuracy", "accuracy-by-length"],
      ["rouge-l", "exact-match"],
    ]);
  });
});

describe("the template of a data set", () => {
  const templateOf = (template: string) => mistakesIn(`data: { path: a.jsonl, template: ${template} }`);

  it("is a name, or one's own", () => {
    expect(templateOf("arc")).toEqual([]);
    expect(templateOf("{ prompt: '{{ a }}', completion: '{{ b }}' }")).toEqual([]);
    expect(templateOf("{ prompt: a, choices: ['{{ b }}', c], labels: '{{ d }}', correct: '{{ e }}' }")).toEqual([]);
  });

  it.each([
    ["arcs", /^evaluation\[0\]\.data\.template: expected one of "rte", "wic", .*, got "arcs"$/],
    ["{ prompt: a }", "completion: expected one of completion and choices"],
    [
      "{ prompt: a, completion: b, choices: '{{ c }}', correct: '0' }",
      "completion: expected one of completion and choices",
    ],
    ["{ prompt: a, choices: [b, c] }", "correct: expected choices and correct together, or neither"],
    ["{ prompt: a, completion: b, correct: c }", "correct: expected choices and correct together, or neither"],
    ["{ prompt: a, completion: b, labels: [c, d] }", "labels: expected choices, which labels name"],
    [
      "{ prompt: a, choices: [b, c], correct: d, references: e }",
      "references: expected completion, beside which they are right",
    ],
    ["{ completion: b }", "prompt: missing; expected a text"],
    ["{ prompt: a, completions: b }", /completions: unknown key/],
  ])("refuses %s", (template, mistake) => {
    const mistakes = templateOf(template);
    expect(mistakes).toContainEqual(
      typeof mistake === "string" ? `evaluation[0].data.template.${mistake}` : expect.stringMatching(mistake),
    );
  });
});

describe("the chat template of a data set", () => {
  it("is a file, and takes the place of another template", () => {
    expect(mistakesIn("data: { path: a.jsonl, chatTemplate: model/tokenizer_config.json }")).toEqual([]);
    expect(mistakesIn("data: { path: a.jsonl, chatTemplate: model/tokenizer_config.json, template: arc }")).toEqual([
      "evaluation[0].data.chatTemplate: expected one of template and chatTemplate",
    ]);
    expect(mistakesIn("data: { path: a.jsonl, chatTemplate: true }")).toEqual([
      "evaluation[0].data.chatTemplate: expected a text, got true",
    ]);
  });
});
