import { InvalidInputError } from "../errors.ts";
import { cutText } from "./cut-text.ts";
import { placeInFile } from "./place-in-file.ts";
import type { CompletionRecord, TextRecord } from "./raw-record.ts";
import { identifySample, type Sample, type Sha256 } from "./sample.ts";
import { utf8Length } from "./utf8-length.ts";

/**
 * A record as samples: a text as its pieces (see {@link cutText}), none where it is only white space; a prompt with its
 * completion as one, as it stands.
 *
 * @param sampleBytes - largest UTF-8 length of prompt and answer together; references may have any
 * @param what - the file as errors name it
 * @throws InvalidInputError `SAMPLE_TOO_LONG`, `EMPTY_COMPLETION`
 */
export function cutIntoSamples(
  record: TextRecord | CompletionRecord,
  sampleBytes: number,
  sha256: Sha256,
  what: string,
): Sample[] {
  const { kind, line } = record;
  if (kind === "text")
    return cutText(record.text, sampleBytes).map((answer) => ({
      id: identifySample("text", "", answer, sha256),
      prompt: "",
      answer,
      kind,
      line,
    }));
  const { prompt, completion, marks, references } = record;
  const place = placeInFile(what, line);
  const bytes = utf8Length(prompt) + utf8Length(completion);
  if (bytes > sampleBytes)
    throw new InvalidInputError(
      "SAMPLE_TOO_LONG",
      `${place}: expected prompt and completion of at most ${sampleBytes} bytes (sampleBytes) together, got ${bytes}; only texts are cut`,
    );
  if (completion === "")
    throw new InvalidInputError(
      "EMPTY_COMPLETION",
      `${place}: expected a completion, got none once characters were dropped`,
    );
  const id = identifySample(kind, prompt, completion, sha256);
  const others = { ...(marks !== undefined && { marks }), ...(references !== undefined && { references }) };
  return [{ id, prompt, answer: completion, kind, line, ...others }];
}
