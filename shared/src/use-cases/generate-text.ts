import { InvalidInputError } from "../core/errors.ts";
import { TextStream } from "../core/generation/text-stream.ts";
import type { GeneratedToken, GenerateOptions } from "../ports/engine.ts";
import type { Tokenizer } from "../ports/tokenizer.ts";
import type { TokenizedModel } from "./open-model.ts";

/** What a text is continued with. */
export type GeneratingModel = Pick<TokenizedModel, "model" | "tokenizer">;

/** How a prompt's tokens are continued, and by how much. */
export interface Continuation extends Omit<GenerateOptions, "stop"> {
  /** texts that end generation, and are not given out; the tokens of `ends` end it in any case */
  stop: readonly string[];
  /** tokens that end generation, and are no text; EOS unless given */
  ends?: readonly number[];
  /** whether a space at the very beginning is the tokenizer's own: see {@link dropsOpeningSpace}; no unless given */
  dropsSpace?: boolean;
}

/** How a text is continued, and by how much. */
export interface Generation extends Omit<Continuation, "prompt" | "dropsSpace"> {
  prompt: string;
  /** as a sample's; none unless given */
  marks?: readonly string[];
}

/** Always the likeliest token. */
export const GREEDY = { temperature: 0, topK: null, topP: null, seed: 0 } as const;

export interface GeneratedPiece extends GeneratedToken {
  /** what is certain of the text with this token: perhaps nothing, or what was held back before */
  text: string;
}

/** A token, where its own text begins in the whole text (in UTF-16 units), and what is certain of the text with it. */
export interface ContinuedPiece {
  token: GeneratedToken;
  begins: number;
  text: string;
}

/** How generation ended: with EOS or a stop text, after so many tokens as were asked for, or at the context's end. */
export type GenerationEnd = "stop" | "length";

/** How a text ended, and what of it was held back until then. */
export interface LastPiece {
  end: GenerationEnd;
  /** whether a stop text cut it off */
  cut: boolean;
  text: string;
}

/** What ending the pieces before their end gives: nobody looks at it. */
export const LEFT: LastPiece = { end: "stop", cut: false, text: "" };

/**
 * Continues a text as a model reads samples: BOS (EOS where it has none), then the prompt's tokens. Leaving the loop ends it.
 *
 * @returns how it ended, and the text that was held back until then
 * @throws InvalidInputError `TOKENIZER_WITHOUT_BOS`, `SAMPLE_EXCEEDS_CONTEXT`; the tokenizer's own
 */
export async function* generateText(
  open: GeneratingModel,
  { prompt, marks, ...options }: Generation,
): AsyncGenerator<GeneratedPiece, LastPiece> {
  const ids = promptTokens(open.tokenizer, prompt, marks);
  if (ids.length > open.model.contextTokens)
    throw new InvalidInputError(
      "SAMPLE_EXCEEDS_CONTEXT",
      `the prompt: expected at most ${open.model.contextTokens} tokens (the model's context), got ${ids.length}`,
    );
  const dropsSpace = prompt === "" && dropsOpeningSpace(open.tokenizer);
  const pieces = continueTokens(open, { ...options, prompt: ids, dropsSpace });
  try {
    for (;;) {
      const next = await pieces.next();
      if (next.done) return next.value;
      yield { ...next.value.token, text: next.value.text };
    }
  } finally {
    await pieces.return(LEFT);
  }
}

/** Continues tokens. Leaving the loop ends it. @returns how it ended, and the text that was held back until then */
export async function* continueTokens(
  { model, tokenizer }: GeneratingModel,
  { stop, ends, dropsSpace = false, ...options }: Continuation,
): AsyncGenerator<ContinuedPiece, LastPiece> {
  const { tokens, roles } = tokenizer.vocabulary;
  const stream = new TextStream({ stop, dropsSpace });
  const endTokens = ends ?? (roles.eos === null ? [] : [roles.eos]);
  let generated = 0;
  for await (const token of model.generate({ ...options, stop: endTokens })) {
    generated++;
    const begins = stream.length;
    yield { token, begins, text: stream.take(tokens[token.id] ?? null) };
    if (stream.stopped) return { end: "stop", cut: true, text: "" };
  }
  const full = generated === options.maxTokens || options.prompt.length + generated >= model.contextTokens;
  return { end: full ? "length" : "stop", cut: false, text: stream.end() };
}

/**
 * @param marks - special tokens that may stand in the prompt
 * @param most - reading may end once there are more tokens than so many
 * @returns the prompt's tokens after the opening one
 * @throws InvalidInputError `TOKENIZER_WITHOUT_BOS`; the tokenizer's own
 */
export function promptTokens(
  tokenizer: Tokenizer,
  prompt: string,
  marks?: readonly string[],
  most?: number,
): Int32Array {
  const { bos, eos } = tokenizer.vocabulary.roles;
  const opening = bos ?? eos;
  if (opening === null)
    throw new InvalidInputError(
      "TOKENIZER_WITHOUT_BOS",
      "the prompt: the tokenizer has neither a BOS nor an EOS token to begin with; name one in config.json (bos_token_id)",
    );
  const { ids } = tokenizer.encode(prompt, marks, most);
  const opened = new Int32Array(1 + ids.length);
  opened[0] = opening;
  opened.set(ids, 1);
  return opened;
}

/** Whether the token that begins a text stands for a space that no text has: after an empty prompt it does so, too. */
export function dropsOpeningSpace(tokenizer: Tokenizer): boolean {
  return tokenizer.vocabulary.tokens[tokenizer.encode("a").ids[0]]?.[0] === 0x20;
}
