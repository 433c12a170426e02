/** A vocabulary as alignment needs it (the port's `Vocabulary` fits). */
export interface TokenVocabulary {
  /** [V] the bytes each token stands for; null for special tokens and holes */
  readonly tokens: readonly (Uint8Array | null)[];
  /** each token's string as tokenizer.json writes it, null for holes; only the rule `reference` reads it */
  readonly strings?: readonly (string | null)[];
  /** tokens that are never written, since another of the same bytes is */
  readonly unwritten?: ReadonlySet<number>;
  readonly roles: TokenRoles;
}

export interface TokenRoles {
  readonly bos: number | null;
  readonly eos: number | null;
  readonly unknown: number | null;
  readonly pad: number | null;
}

/**
 * EOS first: where one token opens and ends texts (GPT-2's `<|endoftext|>`), a model that predicts it means the end.
 */
const ROLES = ["eos", "bos", "unknown", "pad"] as const;

/** The other vocabulary's token in the first role that this token has and the other fills; −1 where there is none. */
export function counterpart(id: number, own: TokenRoles, other: TokenRoles): number {
  for (const role of ROLES) if (own[role] === id && other[role] !== null) return other[role];
  return -1;
}
