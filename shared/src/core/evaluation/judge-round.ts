/** What a gate knows of one party's round. Losses are the held-out validation set's, bits per byte. */
export interface JudgedRound {
  /** of the adapter with which the party began the round */
  before: number;
  /** of the adapter that the round has made */
  after: number;
  /** by how much it may be worse and still count, ≥ 0 */
  tolerance: number;
}

/**
 * Whether the round has made the party worse by more than the tolerance, so that it is to be undone. As bad as before is not worse.
 *
 * @example isWorse({ before: 2.1, after: 2.1, tolerance: 0 }) // false
 */
export function isWorse({ before, after, tolerance }: JudgedRound): boolean {
  return after > before + tolerance;
}
