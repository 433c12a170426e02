import fc from "fast-check";

const character = (from: number, to: number) =>
  fc.integer({ min: from, max: to }).map((code) => String.fromCodePoint(code));

/**
 * Unicode texts with much of what tokens are made of in them, and of what normalisation changes: combining marks, ligatures, Hangul's letters,
 * writing from right to left, emoji of several characters, controls, white space of all kinds.
 */
export const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 4 }),
      fc.string({ unit: "grapheme", maxLength: 4 }),
      fc.string({ unit: character(0x300, 0x36f), maxLength: 3 }),
      fc.string({ unit: character(0x590, 0x6ff), maxLength: 3 }),
      fc.string({ unit: character(0x1100, 0x11ff), maxLength: 4 }),
      fc.string({ unit: character(0xf900, 0xfb4f), maxLength: 3 }),
      fc.string({ unit: character(0, 0xff), maxLength: 3 }),
      fc.constantFrom(
        " ",
        "  ",
        "the",
        " the",
        "Once",
        "\n",
        "▁",
        "</s>",
        "<0x41>",
        "é",
        "e\u0301",
        "日本",
        "👩‍👩‍👧",
        "[UNK]",
        "##ing",
        "İ",
        "Σ",
        "ﬁ",
        "가\u11a8",
        "\u3000",
        "\ufeff",
      ),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(""))
  .filter((candidate) => candidate.isWellFormed());
