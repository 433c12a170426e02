/** A wrong letter in three is still a slip; more is another word. */
const LETTERS_PER_SLIP = 3;

/**
 * The name that was probably meant: the same but for case, - and _; else the nearest by edit distance.
 * @returns null where none is near; ties go to the first candidate
 */
export function closestName(written: string, candidates: readonly string[]): string | null {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[-_ ]/g, "");
  const target = plain(written);
  let best: string | null = null;
  let least = Math.max(1, Math.floor(target.length / LETTERS_PER_SLIP)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(target, plain(candidate));
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** Levenshtein, O(a·b); neighbours swapped count as one slip (optimal string alignment), since that is how people slip. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(
        rows[i - 1][j] + 1,
        row[j - 1] + 1,
        rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1),
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? rows[i - 2][j - 2] + 1
          : Number.POSITIVE_INFINITY,
      );
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}
