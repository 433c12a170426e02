import { describe, expect, it } from "@jest/globals";
import { NAMED_TEMPLATES, TEMPLATE_NAMES } from "../../../../shared/src/core/tasks/named-templates.ts";
import { QUESTION_ROWS, type TemplateRow } from "../../../support/question-rows.ts";
import { readJson, readRows } from "../../../support/read-rows.ts";

const ALPACA =
  "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n";
const ALPACA_WITH_INPUT =
  "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n";

const COMPLETION_ROWS: TemplateRow[] = [
  {
    template: "gsm8k",
    of: "OpenAI",
    row: { question: "2 + 2?", answer: "It is 4.\n#### 4" },
    prompt: "Question: 2 + 2?\nAnswer:",
    answer: " It is 4.\n#### 4",
  },
  {
    template: "sni",
    of: "MiniLLM, with an input",
    row: { instruction: "Add.", prompt: "…", input: "2 2", output: "4" },
    prompt: `${ALPACA_WITH_INPUT}### Instruction:\nAdd.\n\n### Input:\n2 2\n\n### Response:\n`,
    answer: "4",
  },
  {
    template: "sni",
    of: "MiniLLM, without one, and the first of two outputs",
    row: { instruction: "Say A.", input: "", output: ["A", "a"] },
    prompt: `${ALPACA}### Instruction:\nSay A.\n\n### Response:\n`,
    answer: "A",
  },
  {
    template: "sni",
    of: "Hugging Face",
    row: { id: "task1-2", task_name: "task1", definition: "Add.", inputs: "2 2", targets: "4" },
    prompt: `${ALPACA_WITH_INPUT}### Instruction:\nAdd.\n\n### Input:\n2 2\n\n### Response:\n`,
    answer: "4",
  },
  {
    template: "dialogsum",
    of: "Hugging Face",
    row: { id: "train_0", dialogue: "#Person1#: Hi.\n#Person2#: Hi.", summary: "They greet.", topic: "greeting" },
    prompt: "#Person1#: Hi.\n#Person2#: Hi.\nSummary:",
    answer: " They greet.",
  },
  {
    template: "math-instruct",
    of: "Hugging Face",
    row: { source: "data/CoT/aqua.json", instruction: "2 + 2?", output: "4" },
    prompt: `${ALPACA}### Instruction:\n2 + 2?\n\n### Response:\n`,
    answer: "4",
  },
  {
    template: "cot-collection",
    of: "Hugging Face",
    row: { source: "2 + 2?", rationale: "Two and two.", target: "4", task: "aqua", type: "CoT" },
    prompt: "2 + 2?\nLet's think step by step.\n",
    answer: "Two and two. [ANSWER] 4",
  },
  {
    template: "finqa",
    of: "its authors",
    row: {
      ...{ id: "a", pre_text: ["before .", "more ."], post_text: ["after ."] },
      table: [
        ["", "2008"],
        ["cash", "$ 5"],
      ],
      qa: { question: "what is cash?", answer: "5", exe_ans: 5.0 },
    },
    prompt: "before .\nmore .\n | 2008\ncash | $ 5\nafter .\nQuestion: what is cash?\nAnswer:",
    answer: " 5",
  },
  {
    template: "finqa",
    of: "its columns, the computed answer where the written one is empty",
    row: { pre_text: ["a"], post_text: ["b"], table: [["c"]], question: "how much?", answer: "", exe_ans: 1.5 },
    prompt: "a\nc\nb\nQuestion: how much?\nAnswer:",
    answer: " 1.5",
  },
];

describe("the template", () => {
  it.each(COMPLETION_ROWS)("$template writes a row of $of", ({ template, row, prompt, answer }) => {
    const { output, targets } = row as { output?: string | string[]; targets?: string };
    const references = template === "sni" ? { references: [output ?? targets].flat() } : {};
    expect(readRows(template, row)).toEqual([
      { kind: "completion", line: 1, prompt, completion: answer, ...references },
    ]);
  });

  it("sni reads a task's own file: its definition, and of each instance the first output, beside all of them", () => {
    const task = {
      ...{ Contributors: ["A"], Definition: ["Add."], "Positive Examples": [{ input: "1 1", output: "2" }] },
      Instances: [
        { id: "task1-a", input: "2 2", output: ["4", "four"] },
        { id: "task1-b", input: "2 3", output: ["5"] },
      ],
    };
    expect(readJson("sni", task)).toEqual(
      ["2 2", "2 3"].map((input, index) => ({
        kind: "completion",
        line: index + 1,
        prompt: `${ALPACA_WITH_INPUT}### Instruction:\nAdd.\n\n### Input:\n${input}\n\n### Response:\n`,
        completion: ["4", "5"][index],
        references: [["4", "four"], ["5"]][index],
      })),
    );
  });

  it("asks for no input where the set has none", () => {
    expect(NAMED_TEMPLATES["math-instruct"].forms[0].prompt).not.toContain("{%");
  });

  it("is tried in every form that it has", () => {
    const forms = new Map<string, Set<string>>();
    for (const { template, row } of [...QUESTION_ROWS, ...COMPLETION_ROWS]) {
      const form = NAMED_TEMPLATES[template].forms.findIndex(({ fields }: { fields: object }) =>
        Object.keys(fields).every(
          (path) =>
            path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], row) !== undefined,
        ),
      );
      forms.set(template, (forms.get(template) ?? new Set()).add(String(form)));
    }
    // a task's own file is not rows: it has a test of its own
    for (const name of TEMPLATE_NAMES)
      expect({ name, forms: forms.get(name)!.size }).toEqual({
        name,
        forms: NAMED_TEMPLATES[name].forms.length - (name === "sni" ? 1 : 0),
      });
  });
});
