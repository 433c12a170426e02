import type { Tokenizer } from "../../shared/src/ports/tokenizer.ts";

/** Of each prompt. */
export const PROMPT_TOKENS = 64;
/** Of them so many are a system prompt that every second prompt shares. */
export const SHARED_TOKENS = 48;

/**
 * Prompts of real text, all of {@link PROMPT_TOKENS}; none comes twice, so that what is kept of one serves others by what they share
 * alone.
 *
 * @param texts - long enough; the first one is the shared beginning
 * @param first - token that begins every prompt, such as BOS; null: none
 * @returns as many as there are further texts
 */
export function makePrompts(tokenizer: Tokenizer, texts: readonly string[], first: number | null): number[][] {
  const begin = first === null ? [] : [first];
  const read = (text: string, tokens: number) => {
    const ids = [...tokenizer.encode(text).ids];
    if (ids.length < tokens)
      throw new Error(`expected a text of at least ${tokens} tokens, got ${ids.length}: ${text}`);
    return ids.slice(0, tokens);
  };
  const [system, ...others] = texts;
  const shared = [...begin, ...read(system, SHARED_TOKENS - begin.length)];
  return others.map((text, index) =>
    index % 2 === 0
      ? [...shared, ...read(text, PROMPT_TOKENS - SHARED_TOKENS)]
      : [...begin, ...read(text, PROMPT_TOKENS - begin.length)],
  );
}
