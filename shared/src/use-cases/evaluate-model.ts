import { multipleChoiceAccuracy, takeChoice } from "../core/evaluation/multiple-choice.ts";
import { bestRougeL } from "../core/evaluation/rouge-l.ts";
import { bitsPerByte } from "../core/numeric/bits-per-byte.ts";
import type { MultipleChoice } from "../core/samples/multiple-choice.ts";
import { formatSampleId, type Sample } from "../core/samples/sample.ts";
import { type Generation, type GenerationEnd, generateText } from "./generate-text.ts";
import type { TokenizedModel } from "./open-model.ts";
import { countFirstChoices, type ReportScored, scoreChoices, scoreTexts, totalLoss } from "./score-samples.ts";

/** A model's figures on a data set, and each sample's own. */
export interface Evaluation {
  metrics: Record<string, number>;
  results: Record<string, unknown>[];
}

/**
 * Loss of the answers: of the whole set, so that a long answer weighs more than a short one.
 * @param tokenAccuracy - also the share of answer tokens that are the model's first choice, for which the set is read twice
 */
export async function evaluateTexts(
  open: TokenizedModel,
  samples: readonly Sample[],
  batchSize: number,
  report: ReportScored,
  { tokenAccuracy = false }: { tokenAccuracy?: boolean } = {},
): Promise<Evaluation> {
  const scored = await scoreTexts(open, samples, batchSize, report);
  const { nats, tokens, bytes } = totalLoss(scored);
  const first = tokenAccuracy ? await countFirstChoices(open, samples, batchSize) : null;
  return {
    metrics: {
      samples: samples.length,
      bytes,
      tokens,
      bitsPerByte: bitsPerByte(nats, bytes),
      natsPerByte: nats / bytes,
      natsPerToken: nats / tokens,
      perplexity: Math.exp(nats / tokens),
      ...(first !== null && { tokenAccuracy: first.right / first.tokens }),
    },
    results: samples.map(({ id, line }, index) => ({ line, id: formatSampleId(id), ...scored[index] })),
  };
}

/** Accuracy by the likeliest choice (`acc`), the likeliest a character (`acc_norm`), and a byte. */
export async function evaluateChoices(
  open: TokenizedModel,
  questions: readonly MultipleChoice[],
  batchSize: number,
  report: ReportScored,
): Promise<Evaluation> {
  const scored = await scoreChoices(open, questions, batchSize, report);
  const { accuracy, accuracyByCharacters, accuracyByBytes } = multipleChoiceAccuracy(questions, scored);
  return {
    metrics: { questions: questions.length, acc: accuracy, acc_norm: accuracyByCharacters, accuracyByBytes },
    results: questions.map((question, index) => ({
      line: question.line,
      correct: question.correct,
      ...takeChoice(question, scored[index]),
      nats: scored[index].map(({ nats }) => nats),
    })),
  };
}

/**
 * What a model answers to prompts, against the completions, and where there are further references against the best of all; white space
 * at both ends of either counts for nothing.
 */
export async function evaluateGeneration(
  open: TokenizedModel,
  samples: readonly Sample[],
  options: Omit<Generation, "prompt">,
  report: ReportScored = () => {},
): Promise<Evaluation> {
  const given = await answersOf(open, samples, options, report);
  const tokens = given.reduce((sum, answer) => sum + answer.tokens, 0);
  const results = samples.map(({ line, id, answer, references = [] }, index): AnsweredPrompt => {
    const text = given[index].text.trim();
    const right = [answer, ...references].map((one) => one.trim());
    return {
      line,
      id: formatSampleId(id),
      text,
      end: given[index].end,
      rougeL: bestRougeL(text, right),
      exactMatch: right.includes(text),
    };
  });
  const mean = (of: (result: AnsweredPrompt) => number) =>
    results.reduce((sum, result) => sum + of(result), 0) / results.length;
  return {
    metrics: {
      samples: samples.length,
      tokens,
      rougeL: mean((result) => result.rougeL),
      exactMatch: mean((result) => (result.exactMatch ? 1 : 0)),
    },
    results: results.map((result) => ({ ...result })),
  };
}

interface AnsweredPrompt {
  line: number;
  id: string;
  text: string;
  end: GenerationEnd;
  rougeL: number;
  exactMatch: boolean;
}

interface GivenAnswer {
  text: string;
  tokens: number;
  end: GenerationEnd;
}

/** Texts that are asked for at once: the engine lets them share its runs. */
const TEXTS_AT_ONCE = 16;

/** @returns the same answers as one by one; where one fails the others are given up */
async function answersOf(
  open: TokenizedModel,
  samples: readonly Sample[],
  options: Omit<Generation, "prompt">,
  report: ReportScored,
): Promise<GivenAnswer[]> {
  const answers: GivenAnswer[] = [];
  const failed = new AbortController();
  let begun = 0;
  let done = 0;
  const answerOneByOne = async () => {
    while (begun < samples.length && !failed.signal.aborted) {
      const index = begun++;
      const { prompt, marks } = samples[index];
      answers[index] = await answerOf(open, { prompt, marks, ...options, signal: failed.signal });
      report(++done, samples.length);
    }
  };
  const all = Array.from({ length: TEXTS_AT_ONCE }, async () => {
    try {
      await answerOneByOne();
    } catch (error) {
      failed.abort(error);
    }
  });
  await Promise.all(all);
  failed.signal.throwIfAborted();
  return answers;
}

async function answerOf(open: TokenizedModel, generation: Generation): Promise<GivenAnswer> {
  const pieces = generateText(open, generation);
  let text = "";
  for (let tokens = 0; ; tokens++) {
    const next = await pieces.next();
    text += next.value.text;
    if (next.done) return { text, tokens, end: next.value.end };
  }
}
