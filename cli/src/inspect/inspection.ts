/** A number, or several, as a person reads them and as a program does, with every digit. */
export interface Figure {
  text: string;
  value: unknown;
}

export type Fact = string | number | Figure;

/** What a file holds. */
export interface Inspection {
  kind: string;
  /** in the order in which they are shown */
  facts: Record<string, Fact>;
  /** further lines for a person, such as the first tokens or the list of tensors */
  lines: string[];
  /** what the lines tell, for a program, with every digit */
  details?: Record<string, unknown>;
}

/** Whose vocabulary a token is of. */
export interface TokenOwner {
  party: string;
  tokenizerHash: string;
}

/** A token's text where its tokenizer is at hand, else null. */
export type TokenText = (owner: TokenOwner, id: number) => string | null;

/** What a person asked to see, and what a file is of where its place says more than the file itself. */
export interface InspectionContext {
  tokenText: TokenText;
  /** the most items of any list */
  limit: number;
  /** of a shard or an alignment: the one sample that is shown in full; counted from 0 */
  sample: number | null;
  /** of that sample: the one position that is shown */
  position: number | null;
  /** of a vocabulary map: two parties that use it */
  pair?: { source: string; target: string };
}

export const DEFAULT_LIMIT = 12;

/** A token as a person reads it: its id, and its text where that is known. */
export function nameToken(tokenText: TokenText, owner: TokenOwner, id: number): string {
  const text = tokenText(owner, id);
  return text === null ? String(id) : `${id} ${JSON.stringify(text)}`;
}
