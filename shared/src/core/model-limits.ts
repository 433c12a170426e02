/** Largest vocabulary believed: above any tokenizer's (XLM-V's has 901,629 tokens); bounds what a check allocates. */
export const MAX_VOCABULARY = 1 << 20;

/** Longest context believed, in tokens: above any model's (ten million), and far below what would overflow a position. */
export const MAX_CONTEXT = 1 << 24;
