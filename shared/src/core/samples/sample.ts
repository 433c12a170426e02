/**
 * The unit that every party learns from, is scored on, and says something about: text that fits every party's context,
 * cut before any tokenizer, so that all parties mean the same bytes by the same id.
 */
export interface Sample {
  /** [16] the first half of SHA-256 over kind, the prompt's bytes counted, prompt and answer */
  id: Uint8Array;
  /** read, not learned; empty where kind is text */
  prompt: string;
  /** learned and scored; never empty */
  answer: string;
  kind: "text" | "completion";
  /** texts that, wherever they stand in the prompt, are special tokens to whoever has them: a chat template's; none unless given */
  marks?: readonly string[];
  /** further texts that are as right as the answer, for scoring what is generated; each says something else; none unless given */
  references?: readonly string[];
  /** 1-based line of the file it came from, in a .json file the row */
  line: number;
}

/** SHA-256, handed in, since core imports nothing. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

export const SAMPLE_ID_BYTES = 16;

/** @returns [16] the sample's id: equal for equal prompt and answer, whatever file and line they stand in */
export function identifySample(kind: Sample["kind"], prompt: string, answer: string, sha256: Sha256): Uint8Array {
  const encoder = new TextEncoder();
  const before = encoder.encode(prompt);
  // the count keeps prompt and answer apart, whatever bytes they hold
  const bytes = encoder.encode(`${kind} ${before.length} ${prompt}${answer}`);
  return new Uint8Array(sha256(bytes).subarray(0, SAMPLE_ID_BYTES));
}

/** A sample's id as it stands in file names, errors and JSON. */
export function formatSampleId(id: Uint8Array): string {
  return Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
