import type { MultipleChoice } from "../samples/multiple-choice.ts";

/**
 * Accuracy over questions, each answered by its likeliest choice. Ties go to the first choice.
 *
 * @param nats - losses of all choices of all questions, in order
 * @param bytes - UTF-8 bytes of those choices
 * @returns accuracy: by summed log-probability (lm-evaluation-harness' `acc`); accuracyByLength: by log-probability a byte, so
 *   that long answers are not punished for being long (its `acc_norm`, which divides by characters; equal for ASCII)
 */
export function multipleChoiceAccuracy(
  questions: readonly MultipleChoice[],
  nats: Float64Array,
  bytes: readonly number[],
): { accuracy: number; accuracyByLength: number } {
  let right = 0;
  let rightByLength = 0;
  let first = 0;
  for (const { answers, correct } of questions) {
    const indices = answers.map((_, choice) => first + choice);
    if (least(indices.map((index) => nats[index])) === correct) right++;
    if (least(indices.map((index) => nats[index] / bytes[index])) === correct) rightByLength++;
    first += answers.length;
  }
  const share = (count: number) => (questions.length === 0 ? 0 : count / questions.length);
  return { accuracy: share(right), accuracyByLength: share(rightByLength) };
}

function least(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value < values[best] ? index : best), 0);
}
