/**
 * The Levenshtein distance: the least number of insertions, deletions and substitutions that turn one sequence into the
 * other. Exact at any length.
 *
 * @param bound - where the distance exceeds it, bound + 1 is returned, and only the cells within the band are computed
 *
 * Time O(a · b), with a bound O(a · bound); memory O(b).
 * @example editDistance(codePointsOf("kitten"), codePointsOf("sitting")) // 3
 */
export function editDistance(a: ArrayLike<number>, b: ArrayLike<number>, bound = Number.POSITIVE_INFINITY): number {
  const exceeded = bound + 1;
  if (Math.abs(a.length - b.length) > bound) return exceeded;
  const width = b.length;
  // Cells outside the band hold more than the bound, so that no path goes through them.
  const row = new Int32Array(width + 1).fill(exceeded);
  for (let column = 0; column <= Math.min(width, bound); column++) row[column] = column;
  for (let line = 1; line <= a.length; line++) {
    const from = Math.max(1, line - bound);
    const to = Math.min(width, line + bound);
    let diagonal = row[from - 1];
    row[from - 1] = line;
    let least = line;
    for (let column = from; column <= to; column++) {
      const substituted = diagonal + (a[line - 1] === b[column - 1] ? 0 : 1);
      diagonal = row[column];
      row[column] = Math.min(substituted, diagonal + 1, row[column - 1] + 1);
      least = Math.min(least, row[column]);
    }
    if (least > bound) return exceeded;
  }
  return Math.min(row[width], exceeded);
}
