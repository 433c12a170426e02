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
  const results: AnsweredPrompt[] = [];
  let tokens = 0;
  for (const { line, id, prompt, marks, answer, references = [] } of samples) {
    const given = await answerOf(open, { prompt, marks, ...options });
    tokens += given.tokens;
    const text = given.text.trim();
    const right = [answer, ...references].map((one) => one.trim());
    results.push({
      line,
      id: formatSampleId(id),
      text,
      end: given.end,
      rougeL: bestRougeL(text, right),
      exactMatch: right.includes(text),
    });
    report(results.length, samples.length);
  }
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

async function answerOf(open: TokenizedModel, generation: Generation) {
  const pieces = generateText(open, generation);
  let text = "";
  for (let tokens = 0; ; tokens++) {
    const next = await pieces.next();
    text += next.value.text;
    if (next.done) return { text, tokens, end: next.value.end };
  }
}
