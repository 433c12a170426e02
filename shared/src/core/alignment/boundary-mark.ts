/** How a vocabulary writes a space before a word: SentencePiece's mark, or byte-level BPE's letter for a space. */
export const BOUNDARY_MARKS = { metaspace: "▁", byteLevel: "Ġ" } as const;

/**
 * The mark with which more of a vocabulary's tokens begin; "" where none begins with either (WordPiece). FATE-LLM takes it
 * from a table of tokenizer classes and stops at a class that is not in it.
 *
 * @param strings - [V] each token's string as in tokenizer.json
 * @example boundaryMarkOf(["Ġa", "a", "Ġb"]) // "Ġ"
 */
export function boundaryMarkOf(strings: readonly (string | null)[]): "▁" | "Ġ" | "" {
  let metaspace = 0;
  let byteLevel = 0;
  for (const string of strings) {
    if (string?.startsWith(BOUNDARY_MARKS.metaspace)) metaspace++;
    if (string?.startsWith(BOUNDARY_MARKS.byteLevel)) byteLevel++;
  }
  if (metaspace === 0 && byteLevel === 0) return "";
  return byteLevel > metaspace ? BOUNDARY_MARKS.byteLevel : BOUNDARY_MARKS.metaspace;
}
