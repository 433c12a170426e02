import type { TemplateName } from "../../shared/src/core/tasks/named-templates.ts";

/** A raw row of a data set and what its template makes of it. */
export interface TemplateRow {
  template: TemplateName;
  of: string;
  row: object;
  prompt: string;
  /** what is learned, as it follows the prompt */
  answer: string;
}

/** One that becomes a question with choices. */
export interface QuestionRow extends TemplateRow {
  /** all choices as they are scored, where the test looks at them */
  choices?: string[];
}

const twoSentences = { sentence1: "He ran.", sentence2: "He moved." };
export const letters = { text: ["ice", "steam", "rain"], label: ["A", "B", "C"] };
const digits = { text: ["ice", "steam", "rain", "snow"], label: ["1", "2", "3", "4"] };
const noYes = [" no", " yes"];

export const QUESTION_ROWS: QuestionRow[] = [
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
