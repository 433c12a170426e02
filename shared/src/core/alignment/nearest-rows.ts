/** For each source row its nearest target row. */
export interface NearestRows {
  /** the lowest of the rows at the least distance; −1 where none is known */
  rows: Int32Array;
  distances: Int32Array;
  /** all rows at the least distance, ascending; null where they are not asked for */
  ties: number[][] | null;
}

/** More than any distance between tokens, and a small integer to the machine. */
export const FAR = 0x3fffffff;
