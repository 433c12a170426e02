import { describe, expect, it } from "@jest/globals";
import { openTemplate } from "../../../shared/src/adapters/templates/open-template.ts";
import type { TemplateSpec } from "../../../shared/src/contracts/template-spec.ts";
import {
  readHeldOutSet,
  readPromptSet,
  readQuestionSet,
  readSampleSet,
} from "../../../shared/src/use-cases/prepare-samples.ts";
import { readTemplatedRows } from "../../../shared/src/use-cases/templated-rows.ts";
import { readJson, readRows } from "../../support/read-rows.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const refusal = (code: string, message: string) =>
  expect.objectContaining({ name: "InvalidInputError", code, message });
const arc = { id: "a", question: "Hot?", choices: { text: ["ice", "steam"], label: ["A", "B"] }, answerKey: "B" };
const QUESTION = { prompt: "{{ q }}", choices: ["{{ a }}", "{{ b }}"], correct: "{{ right }}" };

describe("a raw data set", () => {
  it("is written by a template of one's own, as prompts with completions", () => {
    const template = { prompt: "Q: {{ q }}\nA:", completion: " {{ a | upper }}" };
    expect(readRows(template, { q: "one?", a: "yes", more: [1] }, { q: "two?", a: "no" })).toEqual([
      { kind: "completion", line: 1, prompt: "Q: one?\nA:", completion: " YES" },
      { kind: "completion", line: 2, prompt: "Q: two?\nA:", completion: " NO" },
    ]);
  });

  it("may have further right answers, a text or a list of them", () => {
    const template = { prompt: "{{ q }}", completion: " {{ a }}", references: "{{ right }}" };
    const references = (right: unknown) => readRows(template, { q: "?", a: "yes", right })[0];
    expect(references(["yes", " ", "sure"])).toEqual({
      ...{ kind: "completion", line: 1, prompt: "?", completion: " yes" },
      references: ["yes", "sure"],
    });
    expect(references("sure")).toMatchObject({ references: ["sure"] });
    expect(references("")).toMatchObject({ references: [] });
  });

  it("of Super-NaturalInstructions has all outputs for what is generated, and the first one for what is learned", async () => {
    const rows = [
      ["it.jsonl", JSON.stringify({ instruction: "Say A.", output: ["A", "a", " A "] })],
      ["it.jsonl", JSON.stringify({ definition: "Say A.", inputs: "now", targets: ["A", "a"] })],
      ["it.json", JSON.stringify({ Definition: ["Say A."], Instances: [{ input: "now", output: ["A", "a"] }] })],
    ] as const;
    for (const [path, text] of rows) {
      const deps = { material: { read: async () => bytes(text) }, openTemplate } as never;
      const data = { path, template: "sni" as const };
      const [[asked], [learned], [lost]] = [
        await readPromptSet(deps, data, 1_000, "it"),
        await readSampleSet(deps, data, 1_000, "it"),
        await readHeldOutSet(deps, data, 1_000, "it"),
      ];
      expect(asked).toMatchObject({ answer: "A", references: ["a"] });
      for (const sample of [learned!, lost!]) expect(sample).not.toHaveProperty("references");
      expect(learned!.id).toEqual(asked!.id);
    }
  });

  it.each([
    ["an index", { right: 1 }, undefined, 1],
    ["a choice's text, white space aside", { right: " no" }, undefined, 1],
    ["a label", { right: "x" }, ["x", "y"], 0],
    ["a label sooner than a text", { right: "no" }, ["no", "y"], 0],
    ["a text where no label is it", { right: "no" }, ["x", "y"], 1],
    ["a label of the row's", { right: "t", names: ["s", "t"] }, "{{ names }}", 1],
  ])("calls the right choice by %s", (_, fields, labels, answer) => {
    const template = { ...QUESTION, ...(labels !== undefined && { labels }) };
    expect(readRows(template, { q: "?", a: "yes", b: "no", ...fields })).toEqual([
      { kind: "choice", line: 1, prompt: "?", choices: ["yes", "no"], answer },
    ]);
  });

  it("is shortened, and its truth becomes an index, as docs/data.md says", () => {
    const template = { ...QUESTION, prompt: "{{ q[:9] }}", correct: "{{ 1 if right else 0 }}" };
    const rows = [true, false].map((right) => ({ q: "A passage, and more", a: "no", b: "yes", right }));
    expect(readRows(template, ...rows)).toMatchObject([
      { prompt: "A passage", answer: 1 },
      { prompt: "A passage", answer: 0 },
    ]);
  });

  it("may say the same of two choices, as raw sets do", () => {
    expect(readRows(QUESTION, { q: "?", a: "yes", b: "yes", right: 1 })[0]).toMatchObject({ answer: 1 });
  });

  it("may be a .json file: a list of rows", () => {
    expect(readJson("gsm8k", [{ question: "a", answer: "b" }])).toEqual([
      { kind: "completion", line: 1, prompt: "Question: a\nAnswer:", completion: " b" },
    ]);
  });

  const row = (fields: object) => ({ ...arc, ...fields });
  const named: [string, TemplateSpec, object, string][] = [
    [
      "a field that is not there, naming the form of which most is",
      "arc",
      row({ answerKey: undefined }),
      "template arc: answerKey: expected a value, got nothing; expected the fields question, choices.text, choices.label, answerKey; or question.stem, question.choices, answerKey",
    ],
    ["a field of another kind", "arc", row({ question: 3 }), "template arc: question: expected text, got a number"],
    [
      "a list of other things",
      "arc",
      row({ choices: { text: ["a", 4], label: ["A", "B"] } }),
      "template arc: choices[1]: expected text that is not empty, got a number",
    ],
    [
      "an empty choice",
      "arc",
      row({ choices: { text: ["a", " "], label: ["A", "B"] } }),
      "template arc: choices[1]: expected text that is not empty, got text of 1 character",
    ],
    [
      "one choice",
      "arc",
      row({ choices: { text: ["a"], label: ["A"] } }),
      "template arc: choices: expected at least two, got a list of 1",
    ],
    [
      "labels that do not fit",
      "arc",
      row({ choices: { text: ["a", "b"], label: ["A"] } }),
      "template arc: labels: expected 2, one for each choice, got a list of 1",
    ],
    [
      "an answer that is none",
      "arc",
      row({ answerKey: "E" }),
      "template arc: correct: expected an index from 0 to 1, a label or a choice's text, got text of 1 character",
    ],
    [
      "a field of a kind that a class is not",
      "boolq",
      { passage: "a", question: "b", answer: "yes" },
      "template boolq: answer: expected a whole number, or true or false, got text of 3 characters",
    ],
    [
      "an object where a list is meant",
      "finqa",
      { pre_text: {}, post_text: [], table: [], question: "a", answer: "b" },
      "template finqa: pre_text: expected a list, got an object with 0 keys",
    ],
    [
      "a list where an object is meant",
      "mmedbench",
      { question: "a", options: ["a"], answer_idx: "A" },
      "template mmedbench: options: expected an object, got a list of 1",
    ],
    [
      "no output",
      "sni",
      { instruction: "a", output: [] },
      "template sni: output: expected text, or a list of texts, got an empty list",
    ],
    [
      "an empty completion",
      "gsm8k",
      { question: "a", answer: " " },
      "template gsm8k: completion: expected text, got empty text",
    ],
    [
      "half a character",
      "gsm8k",
      { question: "a\ud83d", answer: "b" },
      "template gsm8k: prompt: expected well-formed Unicode, got half a surrogate pair",
    ],
    [
      "no list of choices",
      { prompt: "a", choices: "{{ list }}", correct: "{{ 0 }}" },
      { list: "a" },
      "template: choices: expected a list of texts, got text of 1 character",
    ],
    [
      "a further answer that is no text",
      { prompt: "a", completion: "b", references: "{{ list }}" },
      { list: ["a", 1] },
      "template: references: expected text, or a list of texts, got a number",
    ],
    [
      "half a character in a further answer",
      { prompt: "a", completion: "b", references: "{{ list }}" },
      { list: "a\ud83d" },
      "template: references: expected text, or a list of texts, got text of 2 characters",
    ],
    [
      "an index beyond the choices",
      QUESTION,
      { q: "?", a: "1", b: "2", right: 2 },
      "template: correct: expected an index from 0 to 1, a label or a choice's text, got a number",
    ],
    [
      "a broken index",
      QUESTION,
      { q: "?", a: "1", b: "2", right: 0.5 },
      "template: correct: expected an index from 0 to 1, a label or a choice's text, got a number",
    ],
    [
      "an answer that is a list",
      QUESTION,
      { q: "?", a: "1", b: "2", right: [0] },
      "template: correct: expected an index from 0 to 1, a label or a choice's text, got a list of 1",
    ],
    [
      "a name that a row has not",
      { prompt: "{{ q.stem }}", completion: "{{ a }}" },
      { q: {}, a: "b" },
      "template: prompt: q.stem: expected a value, got nothing",
    ],
    [
      "a choice's name that a row has not",
      QUESTION,
      { q: "?", a: "1", right: 0 },
      "template: choices[1]: b: expected a value, got nothing",
    ],
  ];
  it.each(named)("refuses %s, and names line and field", (_, template, fields, reason) => {
    expect(() => readRows(template, fields)).toThrow(refusal("TEMPLATE_REFUSED", `it.jsonl, line 1: ${reason}`));
  });

  it("holds one form", () => {
    const other = { question: { stem: "?", choices: [] }, answerKey: "A" };
    expect(() => readRows("arc", arc, other)).toThrow(
      refusal(
        "TEMPLATE_REFUSED",
        "it.jsonl, line 2: template arc: expected the fields question, choices.text, choices.label, answerKey as in line 1, got question.stem, question.choices, answerKey; one file holds one form",
      ),
    );
  });

  it("of a .json file is told by its row", () => {
    const other = { question: { stem: "?", choices: [] }, answerKey: "A" };
    expect(() => readJson("arc", [arc, other])).toThrow(
      refusal("TEMPLATE_REFUSED", expect.stringMatching(/^it\.json, row 2: .* as in row 1, got /) as never),
    );
  });

  it.each([
    [
      "plain text",
      "it.txt",
      "a",
      "DATASET_INVALID",
      "it.txt: expected a .jsonl or .json file, whose rows a template reads",
    ],
    [
      "an object without rows",
      "it.json",
      '{"a":1}',
      "DATASET_INVALID",
      "it.json: expected a list of rows, got an object with 1 key",
    ],
    [
      "a row that is no object",
      "it.json",
      "[1]",
      "DATASET_INVALID",
      "it.json, row 1: expected an object, got a number",
    ],
    [
      "a line that is no object",
      "it.jsonl",
      "[]",
      "DATASET_INVALID",
      "it.jsonl, line 1: expected an object, got an empty list",
    ],
    ["no JSON", "it.json", "[1,]", "DATASET_INVALID", "it.json: expected JSON: character 4 does not fit"],
    ["a key twice", "it.json", '[{"a":1,"a":2}]', "DATASET_INVALID", "it.json: the key at character 9 occurs twice"],
  ])("is not %s", (_, name, text, code, message) => {
    const read = () => readTemplatedRows(openTemplate, "gsm8k", bytes(text), name);
    expect(read).toThrow(expect.objectContaining({ code, message }));
  });

  it("is UTF-8", () => {
    expect(() => readTemplatedRows(openTemplate, "gsm8k", Uint8Array.of(0x5b, 0xff), "it.json")).toThrow(
      refusal("DATASET_INVALID", "it.json: expected UTF-8, got other bytes"),
    );
  });

  it("names the keys under which a .json object may have its rows", () => {
    expect(() => readJson("sni", { Instances: 3 })).toThrow(
      refusal(
        "DATASET_INVALID",
        "it.json: expected a list of rows, or an object with a list Instances, got an object with 1 key",
      ),
    );
  });
});

describe("a data set with a template", () => {
  const files: Record<string, string> = {
    "arc.jsonl": `${JSON.stringify(arc)}\n${JSON.stringify({ ...arc, answerKey: "A" })}`,
  };
  const material = { read: async (path: string) => bytes(files[path]) };
  const deps = { material, openTemplate } as unknown as Parameters<typeof readSampleSet>[0];
  const data = { path: "arc.jsonl", template: "arc" as const };

  it("is learned as prompts with their right answers", async () => {
    const samples = await readSampleSet(deps, data, 100, "public[0]");
    expect(samples.map(({ kind, prompt, answer, line }) => ({ kind, prompt, answer, line }))).toEqual([
      { kind: "completion", prompt: "Question: Hot?\nAnswer:", answer: " steam", line: 1 },
      { kind: "completion", prompt: "Question: Hot?\nAnswer:", answer: " ice", line: 2 },
    ]);
  });

  it("is held out as its questions, or as its right answers' loss, sliced as any other", async () => {
    expect(await readQuestionSet(deps, { ...data, from: 1 }, 100, "evaluation arc")).toEqual([
      { prompt: "Question: Hot?\nAnswer:", answers: [" ice", " steam"], correct: 0, line: 2 },
    ]);
    expect((await readHeldOutSet(deps, { ...data, samples: 1 }, 100, "evaluation arc"))[0].answer).toBe(" steam");
  });

  it("is never cut: a row that is too long is refused", async () => {
    await expect(readSampleSet(deps, data, 20, "public[0]")).rejects.toThrow(
      expect.objectContaining({
        code: "SAMPLE_TOO_LONG",
        message: expect.stringContaining("public[0]: arc.jsonl, line 1"),
      }),
    );
  });
});
