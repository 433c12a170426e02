import type { MultipleChoice } from "../samples/multiple-choice.ts";

/** What is known of one choice: its tokens' summed loss, and its length as it follows the prompt. */
interface ScoredChoice {
  nats: number;
  /** UTF-8 bytes */
  bytes: number;
}

/** Which choice a model takes, by each of the three measures. */
export interface ChoiceTaken {
  /** the likeliest: lm-evaluation-harness' `acc` */
  likeliest: number;
  /** the likeliest a character: its `acc_norm` */
  byCharacters: number;
  /** the likeliest a byte */
  byBytes: number;
}

/**
 * The choice a model takes. Ties go to the first.
 *
 * A choice's characters are counted as lm-evaluation-harness does: Unicode code points of the choice as the data give it, so the
 * one white space that parts it from the prompt does not count. Its bytes are all that the model writes, that space with them.
 */
export function takeChoice({ answers }: Pick<MultipleChoice, "answers">, scored: readonly ScoredChoice[]): ChoiceTaken {
  return {
    likeliest: least(scored.map(({ nats }) => nats)),
    byCharacters: least(scored.map(({ nats }, choice) => nats / charactersOf(answers[choice]))),
    byBytes: least(scored.map(({ nats, bytes }) => nats / bytes)),
  };
}

/**
 * Accuracy over questions, by each measure of {@link takeChoice}: `acc`, `acc_norm`, and by loss a byte.
 * @param scored - for each question its choices' losses
 */
export function multipleChoiceAccuracy(
  questions: readonly MultipleChoice[],
  scored: readonly (readonly ScoredChoice[])[],
): { accuracy: number; accuracyByCharacters: number; accuracyByBytes: number } {
  const right = { likeliest: 0, byCharacters: 0, byBytes: 0 };
  for (const [index, question] of questions.entries()) {
    const taken = takeChoice(question, scored[index]);
    for (const measure of ["likeliest", "byCharacters", "byBytes"] as const)
      if (taken[measure] === question.correct) right[measure]++;
  }
  const share = (count: number) => (questions.length === 0 ? 0 : count / questions.length);
  return {
    accuracy: share(right.likeliest),
    accuracyByCharacters: share(right.byCharacters),
    accuracyByBytes: share(right.byBytes),
  };
}

function charactersOf(answer: string): number {
  return [...answer.replace(/^\s/u, "")].length;
}

function least(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value < values[best] ? index : best), 0);
}
