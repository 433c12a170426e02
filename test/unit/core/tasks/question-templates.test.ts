import { describe, expect, it } from "@jest/globals";
import { prepareQuestions, rightAnswer } from "../../../../shared/src/core/samples/multiple-choice.ts";
import type { ChoiceRecord } from "../../../../shared/src/core/samples/raw-record.ts";
import { NAMED_TEMPLATES, type TemplateName } from "../../../../shared/src/core/tasks/named-templates.ts";
import { letters, QUESTION_ROWS } from "../../../support/question-rows.ts";
import { readRows } from "../../../support/read-rows.ts";

/** The completion that one row is learned by. */
function learnedFrom(template: TemplateName, row: object): string {
  const [record] = readRows(template, row);
  return rightAnswer(record as ChoiceRecord).completion;
}

describe("the template", () => {
  it.each(QUESTION_ROWS)("$template writes a row of $of", ({ template, row, prompt, answer, choices }) => {
    const [record] = readRows(template, row);
    expect(rightAnswer(record as ChoiceRecord)).toEqual({ kind: "completion", line: 1, prompt, completion: answer });
    if (choices !== undefined) expect(prepareQuestions([record], {}, "it")[0].answers).toEqual(choices);
  });

  it("says of every slip of FATE-LLM what is done otherwise", () => {
    for (const name of ["boolq", "arc", "commonsenseqa", "openbookqa", "sciq", "piqa"] as const)
      expect(NAMED_TEMPLATES[name].note).toMatch(/offsite-tuning.*[Hh]ere/);
    for (const name of ["sst2", "cola", "mrpc", "qqp", "qnli", "mnli"] as const)
      expect(NAMED_TEMPLATES[name].source).toMatch(/ of GLUE; .*lm-evaluation-harness'/);
  });

  it("knownDivergence (FATE-LLM's BoolQ): a space stands before no as before yes", () => {
    const row = { passage: "Ice.", question: "is ice hot", label: 0 };
    const answers = [0, 1].map((label) => learnedFrom("boolq", { ...row, label }));
    expect(answers).toEqual([" no", " yes"]);
  });

  it("knownDivergence (FATE-LLM encodes answers apart, without a space): an answer is learned as it is asked for, after a space", () => {
    const texts = { choices: letters, answerKey: "A" };
    const rows: [TemplateName, object][] = [
      ["arc", { question: "?", ...texts }],
      ["commonsenseqa", { question: "?", ...texts }],
      ["openbookqa", { question_stem: "?", ...texts }],
      ["piqa", { goal: "?", sol1: "ice", sol2: "steam", label: 0 }],
      [
        "sciq",
        {
          question: "?",
          support: "",
          distractor1: "fog",
          distractor2: "dew",
          distractor3: "sea",
          correct_answer: "ice",
        },
      ],
    ];
    for (const [name, row] of rows) {
      expect({ name, learned: learnedFrom(name, row) }).toEqual({ name, learned: " ice" });
      const [{ answers, correct }] = prepareQuestions(readRows(name, row), {}, "it");
      expect(answers[correct]).toBe(" ice");
    }
  });

  it("knownDivergence (FATE-LLM counts an answer's letter in the alphabet): the right choice is the one that bears it", () => {
    const choices = { text: ["ice", "steam"], label: ["A", "C"] };
    expect(learnedFrom("arc", { question: "?", choices, answerKey: "C" })).toBe(" steam");
  });

  it("knownDivergence (FATE-LLM's SciQ): a question without supporting text does not begin with an empty line", () => {
    const row = { question: "Hot?", distractor1: "a", distractor2: "b", distractor3: "c", correct_answer: "d" };
    expect(readRows("sciq", { ...row, support: "" })[0]).toMatchObject({ prompt: "Question: Hot?\nAnswer:" });
    expect(readRows("sciq", { ...row, support: "Ice." })[0]).toMatchObject({ prompt: "Ice.\nQuestion: Hot?\nAnswer:" });
  });

  it("knownDivergence (FATE-LLM's PIQA): a row without a label is refused, and costs the others nothing", () => {
    const row = { goal: "make ice", sol1: "freeze it", sol2: "heat it", label: 0 };
    expect(() => readRows("piqa", row, { ...row, label: -1 })).toThrow(
      expect.objectContaining({
        code: "TEMPLATE_REFUSED",
        message:
          "it.jsonl, line 2: template piqa: correct: expected an index from 0 to 1, a label or a choice's text, got a number",
      }),
    );
  });
});

describe("the right answer of a question", () => {
  const question: ChoiceRecord = { kind: "choice", line: 3, prompt: "Q:", choices: ["a", "b"], answer: 1 };

  it("follows the prompt as it is scored: after a space, unless white space is there", () => {
    expect(rightAnswer(question)).toEqual({ kind: "completion", line: 3, prompt: "Q:", completion: " b" });
    expect(rightAnswer({ ...question, prompt: "Q: " }).completion).toBe("b");
    expect(rightAnswer({ ...question, choices: ["a", "\nb"] }).completion).toBe("\nb");
  });
});
