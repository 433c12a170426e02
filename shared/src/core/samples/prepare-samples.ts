import { InvalidInputError } from "../errors.ts";
import { type Cleaning, cleanText } from "./clean-text.ts";
import { cutIntoSamples } from "./cut-into-samples.ts";
import { placeInFile } from "./place-in-file.ts";
import type { CompletionRecord, RawRecord, TextRecord } from "./raw-record.ts";
import { formatSampleId, type Sample, type Sha256 } from "./sample.ts";
import { type Slice, takeSlice } from "./slice.ts";

/** The run spec's choices for one data file, once its `keepCharactersOf` is read. */
export interface Preparation extends Cleaning, Slice {
  /** largest UTF-8 length of a sample */
  sampleBytes: number;
}

/**
 * The samples that a run takes from one data file: cleaned, cut, then sliced.
 *
 * @param what - the file as errors name it
 * @throws InvalidInputError `SAMPLE_TOO_LONG`, `EMPTY_COMPLETION`, `NOT_TRAINING_DATA`, `TOO_FEW_SAMPLES`
 */
export function prepareSamples(
  records: readonly RawRecord[],
  preparation: Preparation,
  sha256: Sha256,
  what: string,
): Sample[] {
  const { sampleBytes } = preparation;
  const all = records.flatMap((record) => cutIntoSamples(clean(record, preparation, what), sampleBytes, sha256, what));
  return takeSlice(all, preparation, what);
}

function clean(record: RawRecord, cleaning: Cleaning, what: string): TextRecord | CompletionRecord {
  if (record.kind === "text") return { ...record, text: cleanText(record.text, cleaning) };
  if (record.kind === "completion") {
    // a chat's messages were cleaned before its template wrote them
    if (record.marks !== undefined) return record;
    const { references = [], ...asked } = record;
    const completion = cleanText(record.completion, cleaning);
    const others = cleanReferences(references, completion, cleaning);
    return {
      ...asked,
      prompt: cleanText(record.prompt, cleaning),
      completion,
      ...(others.length > 0 && { references: others }),
    };
  }
  throw new InvalidInputError(
    "NOT_TRAINING_DATA",
    `${placeInFile(what, record.line)}: expected text or a completion, got a multiple-choice question, which only an evaluation set of task multiple-choice may hold`,
  );
}

/** Those that say something which neither the completion nor one before them says; white space at either end says nothing. */
function cleanReferences(references: readonly string[], completion: string, cleaning: Cleaning): string[] {
  const said = new Set(["", completion.trim()]);
  return references
    .map((reference) => cleanText(reference, cleaning))
    .filter((reference) => !said.has(reference.trim()) && said.add(reference.trim()));
}

/** Joined files may say the same twice: the first stays, so that a sample's id is its name. */
export function dropDuplicateSamples(samples: readonly Sample[]): { samples: Sample[]; duplicates: number } {
  const seen = new Set<string>();
  const kept = samples.filter(({ id }) => {
    const key = formatSampleId(id);
    return !seen.has(key) && seen.add(key);
  });
  return { samples: kept, duplicates: samples.length - kept.length };
}
