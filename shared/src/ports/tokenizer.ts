/**
 * A tokenizer as the method needs it: ids and exact byte positions for a text, bytes and roles for a vocabulary.
 * No special tokens are added to a text; a party's BOS and EOS are put there by `core/alignment/encode-sample.ts`.
 */
export interface Tokenizer {
  /** SHA-256 of tokenizer.json, as hex. */
  readonly hash: string;
  readonly vocabulary: Vocabulary;
  /**
   * @returns ids: token ids; ends: for each token the UTF-8 byte offset in `text` up to which text has been consumed once
   *   the token is read, ascending; startEnd: the end before the first token, 0, or −1 where the tokenizer first writes a
   *   space that is not in the text (SentencePiece's prefix), so that "nothing read" and "only the added space read" differ.
   * @param marks - texts that are read as special tokens where the tokenizer has such; it reads none in a text unless told
   * @param most - reading may end once there are more tokens than so many, which then are the text's first; all are read unless given
   * @throws InvalidInputError `UNREPRESENTABLE_TEXT` where the tokens cannot be laid over the text
   */
  encode(
    text: string,
    marks?: readonly string[],
    most?: number,
  ): { ids: Int32Array; ends: Int32Array; startEnd: -1 | 0 };
  decode(ids: ArrayLike<number>): string;
}

/** A vocabulary by id. */
export interface Vocabulary {
  /**
   * the bytes each token stands for (a word-boundary mark is a space, a byte token its byte; WordPiece's "play" is " play" and its "##ing"
   * "ing"); null for special tokens and holes
   */
  readonly tokens: readonly (Uint8Array | null)[];
  /** each token's string as tokenizer.json writes it, special tokens included; null for a hole */
  readonly strings: readonly (string | null)[];
  /** tokens that the tokenizer never writes: a byte token beside its character, WordPiece's "##," where a comma is a word */
  readonly unwritten?: ReadonlySet<number>;
  /** ids by role; null where the tokenizer has none */
  readonly roles: {
    readonly bos: number | null;
    readonly eos: number | null;
    readonly unknown: number | null;
    readonly pad: number | null;
  };
}
