import type { Tokenizer } from "../../shared/src/ports/tokenizer.ts";

/** The tokens' ends and the end before them, as values that a test compares with. */
export const plainEnds = ({ ends, startEnd }: Pick<ReturnType<Tokenizer["encode"]>, "ends" | "startEnd">) => ({
  ends: [...ends],
  startEnd,
});

/** Each token's string as tokenizer.json writes it. */
export const tokenStrings = ({ vocabulary }: Tokenizer, ids: Int32Array) =>
  Array.from(ids, (id) => vocabulary.strings[id]);
