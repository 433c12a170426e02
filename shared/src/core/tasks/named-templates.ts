import type { NamedTemplate, TemplateForm } from "./task-template.ts";

const NO_SPACE =
  "offsite-tuning, and FATE-LLM after it, put no space between prompt and answer and encode the two apart: only a SentencePiece tokenizer then writes one, which evaluation expects. Here a space parts them";
const HARNESS = "the prompt is lm-evaluation-harness'";

/** The labels of a choice and their texts, as Hugging Face's columns have them. */
const columns = { "choices.text": "a list", "choices.label": "a list", answerKey: "text" } as const;
const byColumns = { choices: "{{ choices.text }}", labels: "{{ choices.label }}", correct: "{{ answerKey }}" } as const;
/** The same, as the sets' own files have them. */
const nested = { "question.stem": "text", "question.choices": "a list", answerKey: "text" } as const;
const byNested = {
  choices: "{{ question.choices | map(attribute='text') | list }}",
  labels: "{{ question.choices | map(attribute='label') | list }}",
  correct: "{{ answerKey }}",
} as const;

/** Two sentences of GLUE or SuperGLUE, or one, and the number of the right answer. */
function classes(
  fields: readonly string[],
  prompt: string,
  choices: readonly string[],
  label: string = "label",
): TemplateForm {
  return {
    fields: { ...Object.fromEntries(fields.map((field) => [field, "text" as const])), [label]: "class" },
    prompt,
    choices,
    correct: `{{ ${label} | int }}`,
  };
}

/** The instruction form of Alpaca, which MiniLLM writes Super-NaturalInstructions in. */
function instruction(task: string, input: string | null, output: string): Pick<TemplateForm, "prompt" | "completion"> {
  const describes = "Below is an instruction that describes a task";
  const write = "Write a response that appropriately completes the request.\n\n";
  const ask = `### Instruction:\n{{ ${task} }}\n\n`;
  const answer = "### Response:\n";
  const completion = `{{ ${output} }}`;
  // Jinja drops a newline at a template's very end
  if (input === null) return { prompt: `${describes}. ${write}${ask}${answer}\n`, completion };
  return {
    prompt:
      `{% if ${input} %}${describes}, paired with an input that provides further context. ${write}` +
      `${ask}### Input:\n{{ ${input} }}\n\n${answer}{% else %}${describes}. ${write}${ask}${answer}{% endif %}`,
    completion,
  };
}

const first = (field: string) => `${field} if ${field} is string else ${field}[0]`;

/** Every template that a data set may name. */
export const NAMED_TEMPLATES = {
  rte: {
    source: "RTE of SuperGLUE or GLUE; the paper's prompt, by offsite-tuning",
    forms: [
      ["premise", "hypothesis"],
      ["sentence1", "sentence2"],
    ].map(([premise, hypothesis]) =>
      classes([premise, hypothesis], `{{ ${premise} }}\nQuestion: {{ ${hypothesis} }} True or False?\nAnswer:`, [
        "True",
        "False",
      ]),
    ),
  },
  wic: {
    source: "WiC of SuperGLUE; the paper's prompt, by offsite-tuning",
    forms: [
      {
        fields: { sentence1: "text", sentence2: "text", start1: "class", end1: "class", label: "class" },
        prompt:
          "Sentence 1: {{ sentence1 }}\nSentence 2: {{ sentence2 }}\nQuestion: Is the word '{{ sentence1[start1:end1] }}' used in the same way in the two sentences above?\nAnswer:",
        choices: ["no", "yes"],
        correct: "{{ label | int }}",
      },
    ],
  },
  boolq: {
    source: "BoolQ as Hugging Face has it (answer), or SuperGLUE (label); the paper's prompt, by offsite-tuning",
    note: 'FATE-LLM and offsite-tuning write " yes" but "no", without its space, since a conditional binds weaker than +: a model learns "Answer:no" and is asked for "Answer: no". Here both have the space',
    forms: ["answer", "label"].map((label) =>
      classes(["passage", "question"], "{{ passage }}\nQuestion: {{ question }}?\nAnswer:", ["no", "yes"], label),
    ),
  },
  arc: {
    source: "ARC, easy and challenge, as Hugging Face or AI2 have it; the paper's prompt, by offsite-tuning",
    note: `${NO_SPACE}. They take the answer by its letter's place in the alphabet; here the choice that bears it is taken, letter or digit`,
    forms: [
      { fields: { question: "text", ...columns }, prompt: "Question: {{ question }}\nAnswer:", ...byColumns },
      { fields: nested, prompt: "Question: {{ question.stem }}\nAnswer:", ...byNested },
    ],
  },
  commonsenseqa: {
    source:
      "CommonsenseQA as Hugging Face or its authors have it; the paper's prompt, by FATE-LLM: the question's text alone",
    note: NO_SPACE,
    forms: [
      { fields: { question: "text", ...columns }, prompt: "{{ question }}", ...byColumns },
      { fields: nested, prompt: "{{ question.stem }}", ...byNested },
    ],
  },
  openbookqa: {
    source: "OpenBookQA as Hugging Face or AI2 have it; offsite-tuning's prompt: the question's text alone",
    note: NO_SPACE,
    forms: [
      { fields: { question_stem: "text", ...columns }, prompt: "{{ question_stem }}", ...byColumns },
      { fields: nested, prompt: "{{ question.stem }}", ...byNested },
    ],
  },
  sciq: {
    source: "SciQ; offsite-tuning's prompt",
    note: `${NO_SPACE}. Where a question has no supporting text they begin with an empty line; here it is left out`,
    forms: [
      {
        fields: {
          support: "text",
          question: "text",
          distractor1: "text",
          distractor2: "text",
          distractor3: "text",
          correct_answer: "text",
        },
        prompt: "{{ support ~ '\\n' if support else '' }}Question: {{ question }}\nAnswer:",
        choices: ["distractor1", "distractor2", "distractor3", "correct_answer"].map((field) => `{{ ${field} }}`),
        correct: "{{ 3 }}",
      },
    ],
  },
  piqa: {
    source: "PIQA; offsite-tuning's prompt",
    note: `${NO_SPACE}. Where one row of a batch has the label −1 (the test set's) they give the whole batch no answers; here such a row is refused`,
    forms: [classes(["goal", "sol1", "sol2"], "Question: {{ goal }}\nAnswer:", ["{{ sol1 }}", "{{ sol2 }}"])],
  },
  sst2: {
    source: `SST-2 of GLUE; ${HARNESS}`,
    forms: [
      classes(["sentence"], "{{ sentence }}\nQuestion: Is this sentence positive or negative?\nAnswer:", [
        "negative",
        "positive",
      ]),
    ],
  },
  cola: {
    source: `CoLA of GLUE; ${HARNESS}`,
    forms: [classes(["sentence"], "{{ sentence }}\nQuestion: Does this sentence make sense?\nAnswer:", ["no", "yes"])],
  },
  mrpc: {
    source: `MRPC of GLUE; ${HARNESS}`,
    forms: [
      classes(
        ["sentence1", "sentence2"],
        "Sentence 1: {{ sentence1 }}\nSentence 2: {{ sentence2 }}\nQuestion: Do both sentences mean the same thing?\nAnswer:",
        ["no", "yes"],
      ),
    ],
  },
  qqp: {
    source: `QQP of GLUE; ${HARNESS}`,
    forms: [
      classes(
        ["question1", "question2"],
        "Question 1: {{ question1 }}\nQuestion 2: {{ question2 }}\nQuestion: Do both questions ask the same thing?\nAnswer:",
        ["no", "yes"],
      ),
    ],
  },
  qnli: {
    source: `QNLI of GLUE; ${HARNESS}`,
    forms: [
      classes(
        ["question", "sentence"],
        "{{ question }}\n{{ sentence }}\nQuestion: Does this response answer the question?\nAnswer:",
        ["yes", "no"],
      ),
    ],
  },
  mnli: {
    source: `MNLI of GLUE; ${HARNESS}, which ends the hypothesis with a full stop`,
    forms: [
      classes(
        ["premise", "hypothesis"],
        "{{ premise }}\nQuestion: {{ hypothesis.strip() ~ ('' if hypothesis.strip().endswith('.') else '.') }} True, False or Neither?\nAnswer:",
        ["True", "Neither", "False"],
      ),
    ],
  },
  gsm8k: {
    source: `GSM8K; ${HARNESS}`,
    forms: [
      {
        fields: { question: "text", answer: "text" },
        prompt: "Question: {{ question }}\nAnswer:",
        completion: " {{ answer }}",
      },
    ],
  },
  sni: {
    source:
      "Super-NaturalInstructions as MiniLLM, Hugging Face or a task's own file have it; MiniLLM's prompt, that of Alpaca",
    note: "FATE-LLM has no template of it. Of several outputs the first one is learned, and what is generated is scored by the one that it is most like, as the set's authors do. MiniLLM takes outputs of at least 11 words from its own selection of the set: that choice is the data's",
    forms: [
      {
        fields: { instruction: "text", output: "text or texts" },
        ...instruction("instruction", "input", first("output")),
        references: "{{ output }}",
      },
      {
        fields: { definition: "text or texts", inputs: "text", targets: "text or texts" },
        ...instruction(first("definition"), "inputs", first("targets")),
        references: "{{ targets }}",
      },
      {
        fields: { Definition: "text or texts", input: "text", output: "text or texts" },
        rows: "Instances",
        ...instruction(first("Definition"), "input", first("output")),
        references: "{{ output }}",
      },
    ],
  },
  dialogsum: {
    source: "DialogSum as Hugging Face or its authors have it",
    note: "the paper's prompt is not published and FATE-LLM has none: this one is the project's own",
    forms: [
      {
        fields: { dialogue: "text", summary: "text" },
        prompt: "{{ dialogue }}\nSummary:",
        completion: " {{ summary }}",
      },
    ],
  },
  "math-instruct": {
    source: "MathInstruct; MAmmoTH's prompt, that of Alpaca",
    note: "with which prompt others report FedMKT on it is not known",
    forms: [{ fields: { instruction: "text", output: "text" }, ...instruction("instruction", null, "output") }],
  },
  "cot-collection": {
    source: "CoT-Collection; the completion is its authors': the rationale, [ANSWER] and the answer",
    note: "with which prompt others report FedMKT on it is not known",
    forms: [
      {
        fields: { source: "text", rationale: "text", target: "text" },
        prompt: "{{ source }}\nLet's think step by step.\n\n",
        completion: "{{ rationale }} [ANSWER] {{ target }}",
      },
    ],
  },
  finqa: {
    source: "FinQA as its authors have it, or in columns",
    note: "with which prompt others report FedMKT on it is not known: this one is the project's own. Where a question's answer is empty, the one that its program computes is taken",
    forms: [
      ["qa.question", "qa.answer", "qa.exe_ans"],
      ["question", "answer", "exe_ans"],
    ].map(([question, answer, computed]) => ({
      fields: {
        pre_text: "a list" as const,
        table: "a list" as const,
        post_text: "a list" as const,
        [question]: "text" as const,
        [answer]: "text" as const,
      },
      prompt: `{{ pre_text | join('\\n') }}\n{% for row in table %}{{ row | join(' | ') }}\n{% endfor %}{{ post_text | join('\\n') }}\nQuestion: {{ ${question} }}\nAnswer:`,
      completion: ` {{ ${answer} if ${answer} else ${computed} }}`,
    })),
  },
  mmedbench: {
    source: "MMedBench",
    note: "with which prompt others report FedMKT on it is not known: this one is the project's own, the question before its answer's text",
    forms: [
      {
        fields: { question: "text", options: "an object", answer_idx: "text" },
        prompt: "Question: {{ question }}\nAnswer:",
        choices: "{{ options.values() }}",
        labels: "{{ options.keys() }}",
        correct: "{{ answer_idx }}",
      },
    ],
  },
} as const satisfies Record<string, NamedTemplate>;

export type TemplateName = keyof typeof NAMED_TEMPLATES;
export const TEMPLATE_NAMES = Object.keys(NAMED_TEMPLATES) as [TemplateName, ...TemplateName[]];
