/** What a file holds, as a person reads it and as a program does. */
export interface Inspection {
  kind: string;
  /** in the order in which they are shown */
  facts: Record<string, string | number>;
  /** further lines, such as the first tokens or the list of tensors */
  lines: string[];
}

/** Writes a party's token as a person reads it: its id, and its text where the tokenizer is known. */
export type NameToken = (party: string, id: number) => string;

export const plainId: NameToken = (_, id) => String(id);

/** What a file is of, where its place says more than the file itself. */
export interface InspectionContext {
  nameToken: NameToken;
  /** of a vocabulary map: two parties that use it */
  pair?: { source: string; target: string };
}

/** Mean and least of some numbers; both null of none. */
export function spread(values: Iterable<number>): { mean: number | null; least: number | null; most: number | null } {
  let sum = 0;
  let count = 0;
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    sum += value;
    count++;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return count === 0 ? { mean: null, least: null, most: null } : { mean: sum / count, least, most };
}

export function formatSpread(values: Iterable<number>, format: (value: number) => string): string {
  const { mean, least, most } = spread(values);
  return mean === null ? "none" : `mean ${format(mean)}, from ${format(least!)} to ${format(most!)}`;
}
