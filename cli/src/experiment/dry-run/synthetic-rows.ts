import { createRandom } from "@fedmkt/shared/core/numeric/random.ts";
import type { TemplateName } from "@fedmkt/shared/core/tasks/named-templates.ts";

/** Draws what a row is made of. */
interface Draw {
  /** a whole number in 0 … bound − 1 */
  below(bound: number): number;
  word(): string;
  /** words with a capital and a full stop; two of the same stream differ */
  sentence(words?: number): string;
}

type Row = Readonly<Record<string, unknown>>;
type WriteRow = (draw: Draw) => Row;

const WORDS =
  "the a one old new small large ship ward nurse crew harbour door clock river market letter garden winter morning wind road waits opens carries finds keeps counts brings near under over before after quiet early heavy green".split(
    " ",
  );
const LETTERS = ["A", "B", "C", "D", "E"];

const choices = (draw: Draw, count: number) => LETTERS.slice(0, count).map(() => `${draw.word()} ${draw.word()}`);

/** The answer's index and the texts, as the Hugging Face hub has ARC, CommonsenseQA and OpenBookQA. */
const labelled = (draw: Draw, count: number) => ({
  choices: { text: choices(draw, count), label: LETTERS.slice(0, count) },
  answerKey: LETTERS[draw.below(count)],
});

/** A row of each data set that has a built-in template, with the fields of the Hugging Face hub. */
const BY_TEMPLATE: Readonly<Record<TemplateName, WriteRow>> = {
  rte: (draw) => ({ premise: draw.sentence(), hypothesis: draw.sentence(4), label: draw.below(2) }),
  wic: (draw) => {
    const word = draw.word();
    const [before, after] = [draw.sentence(3), draw.sentence(2)];
    const place = (text: string) => ({ start: text.length + 1, end: text.length + 1 + word.length });
    return {
      word,
      sentence1: `${before} ${word} ${draw.word()}`,
      sentence2: `${after} ${word} ${draw.word()}`,
      start1: place(before).start,
      end1: place(before).end,
      start2: place(after).start,
      end2: place(after).end,
      label: draw.below(2),
    };
  },
  boolq: (draw) => ({ question: draw.sentence(5), passage: draw.sentence(12), label: draw.below(2) }),
  arc: (draw) => ({ id: draw.word(), question: draw.sentence(), ...labelled(draw, 4) }),
  commonsenseqa: (draw) => ({ question: draw.sentence(), question_concept: draw.word(), ...labelled(draw, 5) }),
  openbookqa: (draw) => ({ question_stem: draw.sentence(), ...labelled(draw, 4) }),
  sciq: (draw) => ({
    question: draw.sentence(),
    support: draw.sentence(10),
    distractor1: draw.word(),
    distractor2: draw.word(),
    distractor3: draw.word(),
    correct_answer: draw.word(),
  }),
  piqa: (draw) => ({ goal: draw.sentence(), sol1: draw.sentence(), sol2: draw.sentence(), label: draw.below(2) }),
  sst2: (draw) => ({ sentence: draw.sentence(), label: draw.below(2) }),
  cola: (draw) => ({ sentence: draw.sentence(), label: draw.below(2) }),
  mrpc: (draw) => ({ sentence1: draw.sentence(), sentence2: draw.sentence(), label: draw.below(2) }),
  qqp: (draw) => ({ question1: draw.sentence(), question2: draw.sentence(), label: draw.below(2) }),
  qnli: (draw) => ({ question: draw.sentence(), sentence: draw.sentence(), label: draw.below(2) }),
  mnli: (draw) => ({ premise: draw.sentence(), hypothesis: draw.sentence(4), label: draw.below(3) }),
  gsm8k: (draw) => ({ question: draw.sentence(), answer: `${draw.sentence(4)}\n#### ${draw.below(100)}` }),
  sni: (draw) => ({ instruction: draw.sentence(), input: draw.sentence(), output: draw.sentence(5) }),
  dialogsum: (draw) => ({
    dialogue: `#Person1#: ${draw.sentence()}\n#Person2#: ${draw.sentence()}`,
    summary: draw.sentence(),
    topic: draw.word(),
  }),
  "math-instruct": (draw) => ({
    source: `data/${draw.word()}.json`,
    instruction: `What is ${draw.below(90)} + ${draw.below(90)}?`,
    output: `${draw.sentence(4)} The answer is ${draw.below(200)}`,
  }),
  "cot-collection": (draw) => ({
    source: draw.sentence(10),
    target: draw.word(),
    rationale: draw.sentence(),
    task: draw.word(),
    type: "CoT",
  }),
  finqa: (draw) => ({
    pre_text: [draw.sentence()],
    post_text: [draw.sentence()],
    table: [
      ["", "2019", "2018"],
      ["revenue", `${draw.below(900)}`, `${draw.below(900)}`],
    ],
    question: draw.sentence(5),
    answer: `${draw.below(100)}%`,
  }),
  mmedbench: (draw) => ({
    question: draw.sentence(),
    options: Object.fromEntries(choices(draw, 4).map((choice, index) => [LETTERS[index], choice])),
    answer_idx: LETTERS[draw.below(4)],
    rationale: draw.sentence(),
  }),
};

/** A row where no template says what a row has; `kind` is what it is used for. */
const BY_KIND: Readonly<Record<SyntheticKind, WriteRow>> = {
  text: (draw) => ({ text: `${draw.sentence()} ${draw.sentence()}` }),
  completion: (draw) => ({ prompt: `${draw.sentence()} Answer:`, completion: ` ${draw.sentence(3)}` }),
  question: (draw) => ({ question: draw.sentence(), choices: choices(draw, 4), answer: draw.below(4) }),
  chat: (draw) => ({
    messages: [
      { role: "user", content: draw.sentence() },
      { role: "assistant", content: draw.sentence() },
    ],
  }),
};

export type RowSchema = { template: TemplateName } | { kind: SyntheticKind };

/** What rows without a template are for. */
export type SyntheticKind = "text" | "completion" | "question" | "chat";

/**
 * Rows that a data set could have, of words that mean nothing.
 *
 * @param schema - a built-in template's name, or what rows without one are for
 * @param seed - any text; other rows for another one
 */
export function syntheticRows(schema: RowSchema, count: number, seed: string): Row[] {
  const write = "kind" in schema ? BY_KIND[schema.kind] : BY_TEMPLATE[schema.template];
  const random = createRandom(seed);
  const below = (bound: number) => Math.floor(random.next() * bound);
  const word = () => WORDS[below(WORDS.length)];
  const sentence = (words = 7) => {
    const text = Array.from({ length: words }, word).join(" ");
    return `${text[0].toUpperCase()}${text.slice(1)}.`;
  };
  return Array.from({ length: count }, () => write({ below, word, sentence }));
}
