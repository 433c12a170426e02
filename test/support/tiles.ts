import type { Tokenizer } from "../../shared/src/ports/tokenizer.ts";

/** What each token covers of the text: its bytes from the end of the token before on. */
export function tilesOf(text: string, { ends }: ReturnType<Tokenizer["encode"]>): Buffer[] {
  const bytes = Buffer.from(text);
  return Array.from(ends, (end, token) => bytes.subarray(token === 0 ? 0 : Math.max(0, ends[token - 1]), end));
}
