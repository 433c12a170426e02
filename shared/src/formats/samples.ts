import { InvalidInputError } from "../core/errors.ts";
import type { MultipleChoice } from "../core/samples/multiple-choice.ts";
import { formatSampleId, identifySample, type Sample } from "../core/samples/sample.ts";
import { describeValue } from "./describe-value.ts";
import { readJsonLines, writeJsonLines } from "./jsonl.ts";
import { sha256 } from "./sha256.ts";

/** The hash that names samples: SHA-256. */
export function hashSample(bytes: Uint8Array): Uint8Array {
  return Buffer.from(sha256(bytes), "hex");
}

/** Samples as canonical JSON Lines: the same samples are always the same bytes, so that their hash names the set. */
export function writeSamples(samples: readonly Sample[]): Uint8Array {
  return writeJsonLines(
    samples.map(({ id, kind, line, prompt, answer, marks, references }) => ({
      ...{ id: formatSampleId(id), kind, line, prompt, answer },
      ...(marks !== undefined && { marks }),
      ...(references !== undefined && { references }),
    })),
  );
}

/**
 * Reads what {@link writeSamples} wrote, and checks each id against its text.
 *
 * @throws InvalidInputError `SAMPLES_INVALID` naming the line; `JSONL_…`
 */
export function readSamples(bytes: Uint8Array, what: string): Sample[] {
  const seen = new Set<string>();
  return Array.from(readJsonLines(bytes, what), ({ line: at, value }) => {
    const place = `${what}, line ${at}`;
    const keys = ["id", "kind", "line", "prompt", "answer", ...OPTIONAL.filter((key) => hasKey(value, key))];
    const { id, kind, line, prompt, answer, marks, references } = checkKeys(value, keys, place);
    if (kind !== "text" && kind !== "completion") throw invalid(place, 'kind: expected "text" or "completion"', kind);
    if (typeof prompt !== "string" || !prompt.isWellFormed() || (kind === "text" && prompt !== ""))
      throw invalid(place, `prompt: expected ${kind === "text" ? "no text" : "text"}`, prompt);
    if (typeof answer !== "string" || !answer.isWellFormed() || answer === "")
      throw invalid(place, "answer: expected text that is not empty", answer);
    if (!Number.isSafeInteger(line) || (line as number) < 1)
      throw invalid(place, "line: expected a whole number ≥ 1", line);
    const expected = identifySample(kind, prompt, answer, hashSample);
    if (id !== formatSampleId(expected)) throw invalid(place, "id: expected that of its prompt and answer", id);
    if (seen.has(id as string)) throw invalid(place, "id: expected each sample once", id);
    seen.add(id as string);
    const sample: Sample = { id: expected, prompt, answer, kind, line: line as number };
    for (const [key, texts] of Object.entries({ marks, references })) {
      if (texts === undefined) continue;
      if (!isTexts(texts)) throw invalid(place, `${key}: expected a list of texts that are not empty`, texts);
      Object.assign(sample, { [key]: texts });
    }
    return sample;
  });
}

const OPTIONAL = ["marks", "references"] as const;

function hasKey(value: unknown, key: string): boolean {
  return typeof value === "object" && value !== null && key in value;
}

function isTexts(texts: unknown): texts is string[] {
  return Array.isArray(texts) && texts.every((text) => typeof text === "string" && text !== "");
}

/** Multiple-choice questions as canonical JSON Lines. */
export function writeQuestions(questions: readonly MultipleChoice[]): Uint8Array {
  return writeJsonLines(questions.map(({ line, prompt, answers, correct }) => ({ line, prompt, answers, correct })));
}

/** Reads what {@link writeQuestions} wrote. @throws InvalidInputError `SAMPLES_INVALID` naming the line; `JSONL_…` */
export function readQuestions(bytes: Uint8Array, what: string): MultipleChoice[] {
  return Array.from(readJsonLines(bytes, what), ({ line: at, value }) => {
    const place = `${what}, line ${at}`;
    const { line, prompt, answers, correct } = checkKeys(value, ["line", "prompt", "answers", "correct"], place);
    if (!Number.isSafeInteger(line) || (line as number) < 1)
      throw invalid(place, "line: expected a whole number ≥ 1", line);
    if (typeof prompt !== "string") throw invalid(place, "prompt: expected text", prompt);
    if (
      !Array.isArray(answers) ||
      answers.length < 2 ||
      !answers.every((answer) => typeof answer === "string" && answer !== "")
    )
      throw invalid(place, "answers: expected at least two texts", answers);
    if (!Number.isSafeInteger(correct) || (correct as number) < 0 || (correct as number) >= answers.length)
      throw invalid(place, `correct: expected a whole number from 0 to ${answers.length - 1}`, correct);
    return { prompt, answers, correct: correct as number, line: line as number };
  });
}

function checkKeys(value: unknown, expected: readonly string[], place: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Object.keys(value).join() !== expected.join())
    throw invalid(place, `expected an object of ${expected.join(", ")}, in this order`, value);
  return value as Record<string, unknown>;
}

function invalid(place: string, expected: string, got: unknown): InvalidInputError {
  return new InvalidInputError("SAMPLES_INVALID", `${place}: ${expected}, got ${describeValue(got)}`);
}
