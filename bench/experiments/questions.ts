import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "../../shared/src/core/numeric/random.ts";

export const TASKS = ["commonsenseqa", "arc-easy"] as const;
export type Task = (typeof TASKS)[number];

/** Prompt, answer and line ends of the longest question that is taken: every party's context holds so many bytes. */
const QUESTION_BYTES = 400;

/** One multiple-choice question. */
export interface Question {
  text: string;
  /** no two equal */
  choices: string[];
  /** index of the right choice */
  answer: number;
}

/** A task's questions, each in one part only. */
export interface QuestionPools {
  /** what a federation's private and public sets are drawn of */
  federation: Question[];
  heldOut: Question[];
  /** what small models are made of */
  pretraining: Question[];
}

/** Of each task: so many questions for federations, as many held out, the rest for pretraining. */
const POOL = 500;

/** One seed's questions of both tasks. Nothing stands in two of these sets. */
export interface QuestionDraw {
  public: Question[];
  /** one set a client */
  private: Question[][];
  heldOut: Record<Task, Question[]>;
}

export interface QuestionCounts {
  /** of each task; a fifth is public, the rest is dealt out to the clients */
  training: number;
  /** of each task */
  heldOut: number;
  clients: number;
}

/** CommonsenseQA's and ARC-Easy's training questions; those without distinct choices or longer than others are left out. */
export function readQuestions(material: string): Record<Task, Question[]> {
  const text = (path: string) => readFileSync(join(material, "data/datasets", path), "utf8");
  const commonsense = text("csqa/train_rand_split.jsonl")
    .trimEnd()
    .split("\n")
    .map((line) => readCommonsense(JSON.parse(line)));
  const arc = (JSON.parse(text("arc_easy/train.json")) as ArcRow[]).map(readArc);
  const isUsable = (question: Question | null): question is Question =>
    question !== null &&
    new Set(question.choices).size === question.choices.length &&
    question.choices.every((_, choice) => bytesOf(question, choice) <= QUESTION_BYTES);
  return { commonsenseqa: distinct(commonsense.filter(isUsable)), "arc-easy": distinct(arc.filter(isUsable)) };
}

interface CommonsenseRow {
  answerKey: string;
  question: { stem: string; choices: { label: string; text: string }[] };
}

function readCommonsense({ answerKey, question }: CommonsenseRow): Question {
  return {
    text: question.stem.trim(),
    choices: question.choices.map(({ text }) => text),
    answer: question.choices.findIndex(({ label }) => label === answerKey),
  };
}

/** As LLM-Adapters writes them: question and choices in one instruction, the right one as `answerN`. */
interface ArcRow {
  instruction: string;
  answer: string;
}

const ARC = /^Please choose the correct answer to the question: (.*?)\n\n(Answer1: .*?)\n\nAnswer format/s;

/** @returns null where the row is not written in that way */
export function readArc({ instruction, answer }: ArcRow): Question | null {
  const found = ARC.exec(instruction);
  if (found === null) return null;
  const choices = found[2]!.split(/\s*Answer\d: /).slice(1);
  const index = Number(/^answer(\d)$/.exec(answer)?.[1]) - 1;
  return choices[index] === undefined ? null : { text: found[1]!.trim(), choices, answer: index };
}

/** A question that is asked twice counts once: it would else stand in a training and in a held-out set. */
function distinct(questions: readonly Question[]): Question[] {
  return [...new Map(questions.map((question) => [question.text, question])).values()];
}

export function partQuestions(questions: readonly Question[]): QuestionPools {
  if (questions.length <= 2 * POOL)
    throw new Error(`expected more than ${2 * POOL} questions, got ${questions.length}`);
  // in an order of its own, since files may be sorted
  const shuffled = createRandom("experiment/questions").shuffle([...questions]);
  return {
    federation: shuffled.slice(0, POOL),
    heldOut: shuffled.slice(POOL, 2 * POOL),
    pretraining: shuffled.slice(2 * POOL),
  };
}

/** Draws a seed's questions. Each client gets as many of either task as every other, up to one. */
export function drawQuestions(
  pools: Record<Task, QuestionPools>,
  seed: number,
  { training, heldOut, clients }: QuestionCounts,
): QuestionDraw {
  const draw: QuestionDraw = {
    public: [],
    private: Array.from({ length: clients }, () => []),
    heldOut: {} as Record<Task, Question[]>,
  };
  for (const task of TASKS) {
    const { federation, heldOut: held } = pools[task];
    if (federation.length < training || held.length < heldOut)
      throw new Error(
        `${task}: expected ${training} and ${heldOut} questions, got ${federation.length} and ${held.length}`,
      );
    const drawn = createRandom(`experiment/${task}/training/${seed}`)
      .shuffle([...federation])
      .slice(0, training);
    const shared = Math.floor(training / 5);
    draw.public.push(...drawn.slice(0, shared));
    for (const [index, question] of drawn.slice(shared).entries()) draw.private[index % clients]!.push(question);
    draw.heldOut[task] = createRandom(`experiment/${task}/heldout/${seed}`)
      .shuffle([...held])
      .slice(0, heldOut);
  }
  createRandom(`experiment/questions/public/${seed}`).shuffle(draw.public);
  return draw;
}

const promptOf = ({ text }: Question) => `Question: ${text}\nAnswer:`;

const bytesOf = (question: Question, choice: number) =>
  Buffer.byteLength(`${promptOf(question)} ${question.choices[choice]}`);

/** A line of a training set, or of a set on which the loss of the right answer is scored. */
export const asCompletion = (question: Question) => ({
  prompt: promptOf(question),
  completion: ` ${question.choices[question.answer]}`,
});

/** A line of a set on which the likeliest choice is scored; a space stands before each choice. */
export const asChoices = (question: Question) => ({
  prompt: promptOf(question),
  choices: question.choices,
  answer: question.answer,
});

/** What a model that is made from nothing reads of a question. */
export const asText = (question: Question) => `${promptOf(question)} ${question.choices[question.answer]}`;
