/** One record of a data set as its file gives it, before white space, characters and length are seen to. */
export type RawRecord = TextRecord | CompletionRecord | ChoiceRecord;

/** A text to be cut into samples. */
export interface TextRecord {
  kind: "text";
  /** 1-based line of its file, in a .json file the row; 1 where the file is plain text */
  line: number;
  text: string;
}

/** A prompt and what should follow it: one sample, never cut. */
export interface CompletionRecord {
  kind: "completion";
  line: number;
  prompt: string;
  completion: string;
  /** texts that, wherever they stand in the prompt, are special tokens to whoever has them; then its parts are clean already */
  marks?: readonly string[];
  /** further texts that are as right as the completion: what is generated is held against them too, and nobody learns them */
  references?: readonly string[];
}

/** A question whose answers are scored against each other; for evaluation only. */
export interface ChoiceRecord {
  kind: "choice";
  line: number;
  prompt: string;
  choices: readonly string[];
  /** index into choices */
  answer: number;
}
