/** Names longer than this are not typing errors. */
const LONGEST_NAME = 40;

/** `: did you mean "prompt"?` where a known name is near (at most a third of the letters differ), else nothing. */
export function suggest(name: string, known: readonly string[]): string {
  if (name.length > LONGEST_NAME) return "";
  const folded = name.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = lettersApart(folded, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best === null ? "" : `: did you mean "${best}"?`;
}

/** Levenshtein distance in UTF-16 units. */
function lettersApart(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length];
}
