import fc from "fast-check";
import type { TokenVocabulary } from "../../shared/src/core/alignment/token-roles.ts";

const bytes = fc.oneof(
  fc
    .string({ unit: fc.constantFrom("a", "b", "c", " ", "é"), minLength: 1, maxLength: 4 })
    .map((text) => new TextEncoder().encode(text)),
  fc.uint8Array({ minLength: 1, maxLength: 2 }),
);

/** Small vocabularies over few characters, so that tokens share bytes and beginnings; roles on some special tokens. */
export const vocabulary: fc.Arbitrary<TokenVocabulary> = fc
  .record({
    texts: fc.array(bytes, { minLength: 1, maxLength: 14 }),
    specials: fc.integer({ min: 0, max: 4 }),
    roles: fc.record({
      bos: fc.constantFrom(null, 0, 1),
      eos: fc.constantFrom(null, 0, 1, 2),
      unknown: fc.constantFrom(null, 2),
      pad: fc.constantFrom(null, 3),
    }),
  })
  .map(({ texts, specials, roles }) => ({
    tokens: [...new Array<null>(specials).fill(null), ...texts],
    roles: Object.fromEntries(
      Object.entries(roles).map(([role, id]) => [role, id !== null && id < specials ? id : null]),
    ) as unknown as TokenVocabulary["roles"],
  }));
