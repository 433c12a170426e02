import { describe, expect, it } from "@jest/globals";
import { prepareQuestions, rightAnswer } from "../../../../shared/src/core/samples/multiple-choice.ts";
import type { ChoiceRecord } from "../../../../shared/src/core/samples/raw-record.ts";
import {
  NAMED_TEMPLATES,
  TEMPLATE_NAMES,
  type TemplateName,
} from "../../../../shared/src/core/tasks/named-templates.ts";
import { readJson, readRows } from "../../../support/read-rows.ts";

interface Case {
  template: TemplateName;
  of: string;
  row: object;
  prompt: string;
  /** what is learned, as it follows the prompt */
  answer: string;
  /** all choices as they are scored, where it is a question */
  choices?: string[];
}

const twoSentences = { sentence1: "He ran.", sentence2: "He moved." };
const letters = { text: ["ice", "steam", "rain"], label: ["A", "B", "C"] };
const digits = { text: ["ice", "steam", "rain", "snow"], label: ["1", "2", "3", "4"] };
const ALPACA =
  "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n";
const ALPACA_WITH_INPUT =
  "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n";
const noYes = [" no", " yes"];

const CASES: Case[] = [
  {
    template: "rte",
    of: "SuperGLUE",
    row: { premise: "It rains.", hypothesis: "It is dry.", label: 1, idx: 0 },
    prompt: "It rains.\nQuestion: It is dry. True or False?\nAnswer:",
    answer: " False",
    choices: [" True", " False"],
  },
  {
    template: "rte",
    of: "GLUE",
    row: { ...twoSentences, label: 0, idx: 3 },
    prompt: "He ran.\nQuestion: He moved. True or False?\nAnswer:",
    answer: " True",
  },
  {
    template: "wic",
    of: "Hugging Face, the word as it stands in the first sentence, counted in characters",
    row: {
      ...{ word: "place", sentence1: "😀 Do you want to come over to my places later?", start1: 33, end1: 39 },
      ...{ sentence2: "A political system with no place.", start2: 27, end2: 32, label: 0 },
    },
    prompt:
      "Sentence 1: 😀 Do you want to come over to my places later?\nSentence 2: A political system with no place.\nQuestion: Is the word 'places' used in the same way in the two sentences above?\nAnswer:",
    answer: " no",
    choices: noYes,
  },
  {
    template: "boolq",
    of: "Hugging Face",
    row: { question: "is ice cold", answer: true, passage: "Ice is frozen water." },
    prompt: "Ice is frozen water.\nQuestion: is ice cold?\nAnswer:",
    answer: " yes",
    choices: noYes,
  },
  {
    template: "boolq",
    of: "SuperGLUE, with a space before no, which FATE-LLM leaves out",
    row: { question: "is ice hot", label: 0, passage: "Ice is frozen water." },
    prompt: "Ice is frozen water.\nQuestion: is ice hot?\nAnswer:",
    answer: " no",
    choices: noYes,
  },
  {
    template: "arc",
    of: "Hugging Face, choices by letters, with the space that offsite-tuning leaves out",
    row: { id: "Mercury_1", question: "What is solid water?", choices: letters, answerKey: "A" },
    prompt: "Question: What is solid water?\nAnswer:",
    answer: " ice",
    choices: [" ice", " steam", " rain"],
  },
  {
    template: "arc",
    of: "Hugging Face, choices by digits",
    row: { id: "NYSEDREGENTS_1", question: "What falls white?", choices: digits, answerKey: "4" },
    prompt: "Question: What falls white?\nAnswer:",
    answer: " snow",
  },
  {
    template: "arc",
    of: "Hugging Face, the choice that bears the letter, not the one that stands at its place in the alphabet",
    row: { question: "What is hot?", choices: { text: ["ice", "steam"], label: ["A", "C"] }, answerKey: "C" },
    prompt: "Question: What is hot?\nAnswer:",
    answer: " steam",
  },
  {
    template: "arc",
    of: "AI2",
    row: {
      ...{ id: "Mercury_1", answerKey: "B" },
      question: {
        stem: "What is hot?",
        choices: [
          { text: "ice", label: "A" },
          { text: "steam", label: "B" },
        ],
      },
    },
    prompt: "Question: What is hot?\nAnswer:",
    answer: " steam",
    choices: [" ice", " steam"],
  },
  {
    template: "commonsenseqa",
    of: "Hugging Face",
    row: { id: "1", question: "Where is ice?", question_concept: "ice", choices: letters, answerKey: "C" },
    prompt: "Where is ice?",
    answer: " rain",
  },
  {
    template: "commonsenseqa",
    of: "its authors",
    row: {
      ...{ answerKey: "A", id: "1" },
      question: {
        ...{ question_concept: "ice", stem: "Where is ice?" },
        choices: [
          { label: "A", text: "pole" },
          { label: "B", text: "oven" },
        ],
      },
    },
    prompt: "Where is ice?",
    answer: " pole",
    choices: [" pole", " oven"],
  },
  {
    template: "openbookqa",
    of: "Hugging Face",
    row: { id: "7", question_stem: "Ice melts in", choices: letters, answerKey: "B" },
    prompt: "Ice melts in",
    answer: " steam",
  },
  {
    template: "openbookqa",
    of: "AI2",
    row: {
      answerKey: "A",
      question: {
        stem: "Ice melts in",
        choices: [letters, letters].map((_, index) => ({ text: `sun ${index}`, label: "AB"[index] })),
      },
    },
    prompt: "Ice melts in",
    answer: " sun 0",
  },
  {
    template: "sciq",
    of: "Hugging Face",
    row: {
      ...{ question: "What is ice?", distractor1: "steam", distractor2: "fog", distractor3: "dew" },
      ...{ correct_answer: "water", support: "Water freezes." },
    },
    prompt: "Water freezes.\nQuestion: What is ice?\nAnswer:",
    answer: " water",
    choices: [" steam", " fog", " dew", " water"],
  },
  {
    template: "sciq",
    of: "Hugging Face, without the empty line that FATE-LLM begins with where there is no supporting text",
    row: {
      ...{ question: "What is ice?", distractor1: "steam", distractor2: "fog", distractor3: "dew" },
      ...{ correct_answer: "water", support: "" },
    },
    prompt: "Question: What is ice?\nAnswer:",
    answer: " water",
  },
  {
    template: "piqa",
    of: "Hugging Face",
    row: { goal: "make ice", sol1: "freeze it", sol2: "heat it", label: 0 },
    prompt: "Question: make ice\nAnswer:",
    answer: " freeze it",
    choices: [" freeze it", " heat it"],
  },
  {
    template: "sst2",
    of: "GLUE",
    row: { idx: 0, sentence: "a joy", label: 1 },
    prompt: "a joy\nQuestion: Is this sentence positive or negative?\nAnswer:",
    answer: " positive",
    choices: [" negative", " positive"],
  },
  {
    template: "cola",
    of: "GLUE",
    row: { idx: 0, sentence: "They ran it.", label: 0 },
    prompt: "They ran it.\nQuestion: Does this sentence make sense?\nAnswer:",
    answer: " no",
    choices: noYes,
  },
  {
    template: "mrpc",
    of: "GLUE",
    row: { ...twoSentences, label: 1 },
    prompt: "Sentence 1: He ran.\nSentence 2: He moved.\nQuestion: Do both sentences mean the same thing?\nAnswer:",
    answer: " yes",
    choices: noYes,
  },
  {
    template: "qqp",
    of: "GLUE",
    row: { question1: "Why?", question2: "How come?", label: 1 },
    prompt: "Question 1: Why?\nQuestion 2: How come?\nQuestion: Do both questions ask the same thing?\nAnswer:",
    answer: " yes",
    choices: noYes,
  },
  {
    template: "qnli",
    of: "GLUE, where 0 is yes",
    row: { question: "Who ran?", sentence: "He ran.", label: 0 },
    prompt: "Who ran?\nHe ran.\nQuestion: Does this response answer the question?\nAnswer:",
    answer: " yes",
    choices: [" yes", " no"],
  },
  {
    template: "mnli",
    of: "GLUE, with the full stop that the harness adds",
    row: { premise: "He ran.", hypothesis: " He moved ", label: 2 },
    prompt: "He ran.\nQuestion: He moved. True, False or Neither?\nAnswer:",
    answer: " False",
    choices: [" True", " Neither", " False"],
  },
  {
    template: "mnli",
    of: "GLUE, with the full stop that is there",
    row: { premise: "He ran.", hypothesis: "He moved.", label: 1 },
    prompt: "He ran.\nQuestion: He moved. True, False or Neither?\nAnswer:",
    answer: " Neither",
  },
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
  {
    template: "mmedbench",
    of: "Hugging Face",
    row: {
      ...{ question: "Which?", options: { A: "heart", B: "lung" }, answer: "lung", answer_idx: "B" },
      ...{ rationale: "…", human_checked: 1 },
    },
    prompt: "Question: Which?\nAnswer:",
    answer: " lung",
    choices: [" heart", " lung"],
  },
];

describe("the template", () => {
  it.each(CASES)("$template writes a row of $of", ({ template, row, prompt, answer, choices }) => {
    const [record] = readRows(template, row);
    const learned = record.kind === "choice" ? rightAnswer(record) : record;
    expect(learned).toEqual({ kind: "completion", line: 1, prompt, completion: answer });
    if (choices !== undefined) expect(prepareQuestions([record], {}, "it")[0].answers).toEqual(choices);
  });

  it("is tried in every form that it has", () => {
    const forms = new Map<string, Set<string>>();
    for (const { template, row } of CASES) {
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

  it("sni reads a task's own file: its definition, and of each instance the first output", () => {
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
      })),
    );
  });

  it("says of every slip of FATE-LLM what is done otherwise", () => {
    for (const name of ["boolq", "arc", "commonsenseqa", "openbookqa", "sciq", "piqa"] as const)
      expect(NAMED_TEMPLATES[name].note).toMatch(/offsite-tuning.*[Hh]ere/);
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

/** The completion that one row is learned by. */
function learnedFrom(template: TemplateName, row: object): string {
  const [record] = readRows(template, row);
  return (record.kind === "choice" ? rightAnswer(record) : (record as { completion: string })).completion;
}

describe("the right answer of a question", () => {
  const question: ChoiceRecord = { kind: "choice", line: 3, prompt: "Q:", choices: ["a", "b"], answer: 1 };

  it("follows the prompt as it is scored: after a space, unless white space is there", () => {
    expect(rightAnswer(question)).toEqual({ kind: "completion", line: 3, prompt: "Q:", completion: " b" });
    expect(rightAnswer({ ...question, prompt: "Q: " }).completion).toBe("b");
    expect(rightAnswer({ ...question, choices: ["a", "\nb"] }).completion).toBe("\nb");
  });
});
