import { InvalidInputError } from "../errors.ts";
import { type Cleaning, cleanText } from "./clean-text.ts";
import { placeInFile } from "./place-in-file.ts";
import type { ChoiceRecord, CompletionRecord, RawRecord } from "./raw-record.ts";
import { type Slice, takeSlice } from "./slice.ts";
import { utf8Length } from "./utf8-length.ts";

/** A multiple-choice question, ready to be scored: the likeliest answer after the prompt is the model's. */
export interface MultipleChoice {
  prompt: string;
  /** as they follow the prompt: with a space before, unless white space stands there already */
  answers: string[];
  /** index of the right one */
  correct: number;
  /** 1-based line of the file it came from, in a .json file the row */
  line: number;
}

/**
 * The questions that a run takes from one evaluation file: cleaned and sliced as samples are, never cut.
 *
 * @param preparation - sampleBytes: largest UTF-8 length of the prompt with each answer; no limit unless given
 * @param what - the file as errors name it
 * @throws InvalidInputError `SAMPLE_TOO_LONG`, `EMPTY_COMPLETION`, `TOO_FEW_SAMPLES`, `NOT_A_QUESTION`
 */
export function prepareQuestions(
  records: readonly RawRecord[],
  preparation: Cleaning & Slice & { sampleBytes?: number },
  what: string,
): MultipleChoice[] {
  const questions = records.map((record) => {
    if (record.kind === "choice") return record;
    throw new InvalidInputError(
      "NOT_A_QUESTION",
      `${placeInFile(what, record.line)}: expected a multiple-choice question ({"question", "choices", "answer"}), got a ${record.kind}`,
    );
  });
  return takeSlice(questions, preparation, what).map((record) => prepareQuestion(record, preparation, what));
}

/** A question as something to learn from: its prompt, and the right answer as evaluation asks for it. */
export function rightAnswer({ line, prompt, choices, answer }: ChoiceRecord): CompletionRecord {
  return { kind: "completion", line, prompt, completion: follow(prompt, choices[answer]) };
}

function prepareQuestion(
  record: ChoiceRecord,
  { sampleBytes = Infinity, ...cleaning }: Cleaning & { sampleBytes?: number },
  what: string,
): MultipleChoice {
  const place = placeInFile(what, record.line);
  const prompt = cleanText(record.prompt, cleaning);
  const answers = record.choices.map((choice, index) => {
    const answer = follow(prompt, cleanText(choice, cleaning));
    if (answer.trim() === "")
      throw new InvalidInputError(
        "EMPTY_COMPLETION",
        `${place}: expected choice ${index} to be text, got none once characters were dropped`,
      );
    const bytes = utf8Length(prompt) + utf8Length(answer);
    if (bytes > sampleBytes)
      throw new InvalidInputError(
        "SAMPLE_TOO_LONG",
        `${place}: expected the question with each choice to have at most ${sampleBytes} bytes (sampleBytes), got ${bytes} with choice ${index}`,
      );
    return answer;
  });
  return { prompt, answers, correct: record.answer, line: record.line };
}

function follow(prompt: string, choice: string): string {
  return prompt === "" || /\s$/u.test(prompt) || /^\s/u.test(choice) ? choice : ` ${choice}`;
}
