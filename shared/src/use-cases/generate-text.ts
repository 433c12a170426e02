import { InvalidInputError } from "../core/errors.ts";
import { TextStream } from "../core/generation/text-stream.ts";
import type { GeneratedToken, GenerateOptions } from "../ports/engine.ts";
import type { TokenizedModel } from "./open-model.ts";

/** How a text is continued, and by how much. */
export interface Generation extends Omit<GenerateOptions, "prompt" | "stop"> {
  prompt: string;
  /** as a sample's; none unless given */
  marks?: readonly string[];
  /** text that ends generation, and is not given out; EOS ends it in any case */
  stop: string | null;
}

/** Always the likeliest token. */
export const GREEDY = { temperature: 0, topK: null, topP: null, seed: 0 } as const;

export interface GeneratedPiece extends GeneratedToken {
  /** what is certain of the text with this token: perhaps nothing, or what was held back before */
  text: string;
}

/** How generation ended: with EOS or the stop text, after so many tokens as were asked for, or at the context's end. */
export type GenerationEnd = "stop" | "length";

/**
 * Continues a text as a model reads samples: BOS (EOS where it has none), then the prompt's tokens. Leaving the loop ends it.
 *
 * @returns how it ended, and the text that was held back until then
 * @throws InvalidInputError `TOKENIZER_WITHOUT_BOS`, `SAMPLE_EXCEEDS_CONTEXT`; the tokenizer's own
 */
export async function* generateText(
  { model, tokenizer }: Pick<TokenizedModel, "model" | "tokenizer">,
  { prompt, marks, stop, ...options }: Generation,
): AsyncGenerator<GeneratedPiece, { end: GenerationEnd; text: string }> {
  const { tokens, roles } = tokenizer.vocabulary;
  const ids = promptTokens({ model, tokenizer }, prompt, marks);
  // a tokenizer whose first token stands for a space that no text has has it stand for one after nothing, too
  const dropsSpace = prompt === "" && tokens[tokenizer.encode("a").ids[0]]?.[0] === 0x20;
  const stream = new TextStream({ stop, dropsSpace });
  const ends = roles.eos === null ? [] : [roles.eos];
  let generated = 0;
  for await (const token of model.generate({ ...options, prompt: ids, stop: ends })) {
    generated++;
    yield { ...token, text: stream.take(tokens[token.id] ?? null) };
    if (stream.stopped) return { end: "stop", text: "" };
  }
  const full = generated === options.maxTokens || ids.length + generated >= model.contextTokens;
  return { end: full ? "length" : "stop", text: stream.end() };
}

/** @returns the prompt's tokens after the opening one */
function promptTokens(
  { model, tokenizer }: Pick<TokenizedModel, "model" | "tokenizer">,
  prompt: string,
  marks: readonly string[] | undefined,
): Int32Array {
  const { bos, eos } = tokenizer.vocabulary.roles;
  const opening = bos ?? eos;
  if (opening === null)
    throw new InvalidInputError(
      "TOKENIZER_WITHOUT_BOS",
      "the prompt: the tokenizer has neither a BOS nor an EOS token to begin with; name one in config.json (bos_token_id)",
    );
  const { ids } = tokenizer.encode(prompt, marks);
  if (1 + ids.length > model.contextTokens)
    throw new InvalidInputError(
      "SAMPLE_EXCEEDS_CONTEXT",
      `the prompt: expected at most ${model.contextTokens} tokens (the model's context), got ${1 + ids.length}`,
    );
  return Int32Array.of(opening, ...ids);
}
