import { InvalidInputError } from "../errors.ts";
import { formatSampleId, type Sample } from "../samples/sample.ts";

/** What encoding a sample needs of a tokenizer (the port's `Tokenizer` fits). */
export interface SampleTokenizer {
  readonly vocabulary: { readonly roles: { readonly bos: number | null; readonly eos: number | null } };
  encode(text: string, marks?: readonly string[]): { ids: Int32Array; ends: Int32Array; startEnd: -1 | 0 };
}

/** A sample in a model's own tokens. T tokens, the opening one (BOS) first. */
export interface EncodedText {
  /** [T] */
  ids: Int32Array;
  /** [T] bytes of prompt + answer consumed once each token is read; −1 before an added prefix space */
  ends: Int32Array;
  /** [T] 1 where the token is an answer token; never the first */
  answer: Uint8Array;
  /** UTF-8 bytes of the answer; EOS adds none */
  answerBytes: number;
}

/**
 * Writes a sample as a model reads it: the party's BOS (its EOS where it has none), then the tokens of prompt and answer,
 * tokenised together, so that no seam is forced where the tokenizer would have none; after a completion EOS.
 *
 * In a text every token but the first is an answer token. In a completion those are that end beyond the prompt's last byte
 * (a token that spans the seam among them), and EOS.
 *
 * @param contextTokens - the model's longest sequence
 * @param party - whose model it is, for errors
 * @throws InvalidInputError `SAMPLE_EXCEEDS_CONTEXT`, `TOKENIZER_WITHOUT_BOS`, `TOKENIZER_WITHOUT_EOS`; the tokenizer's own
 */
export function encodeSample(
  {
    id,
    prompt,
    answer: completion,
    kind,
    line,
    marks,
  }: Pick<Sample, "id" | "prompt" | "answer" | "kind" | "line" | "marks">,
  tokenizer: SampleTokenizer,
  contextTokens: number,
  party?: string,
): EncodedText {
  const { bos, eos } = tokenizer.vocabulary.roles;
  const opening = bos ?? eos;
  const sample = `${party === undefined ? "" : `${party}: `}sample ${formatSampleId(id)} (line or row ${line} of its file)`;
  if (opening === null)
    throw new InvalidInputError(
      "TOKENIZER_WITHOUT_BOS",
      `${sample}: the tokenizer has neither a BOS nor an EOS token to begin with; name one in config.json (bos_token_id)`,
    );
  if (kind === "completion" && eos === null)
    throw new InvalidInputError(
      "TOKENIZER_WITHOUT_EOS",
      `${sample}: a completion ends with EOS, but the tokenizer has none; name one in config.json (eos_token_id)`,
    );
  const written = tokenizer.encode(prompt + completion, marks);
  const closing = kind === "completion" ? 1 : 0;
  const tokens = 1 + written.ids.length + closing;
  if (tokens > contextTokens)
    throw new InvalidInputError(
      "SAMPLE_EXCEEDS_CONTEXT",
      `${sample}: expected at most ${contextTokens} tokens (the model's context), got ${tokens}; lower sampleBytes or shorten it`,
    );
  const encoder = new TextEncoder();
  const promptBytes = encoder.encode(prompt).length;
  const answerBytes = encoder.encode(completion).length;

  const ids = new Int32Array(tokens);
  ids[0] = opening;
  ids.set(written.ids, 1);
  const ends = new Int32Array(tokens);
  ends[0] = written.startEnd;
  ends.set(written.ends, 1);
  const answer = new Uint8Array(tokens);
  for (let token = 1; token < tokens; token++) answer[token] = kind === "text" || ends[token] > promptBytes ? 1 : 0;
  if (closing === 1) {
    ids[tokens - 1] = eos!;
    ends[tokens - 1] = promptBytes + answerBytes;
    answer[tokens - 1] = 1;
  }
  return { ids, ends, answer, answerBytes };
}
