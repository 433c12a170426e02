/** The edit distance by the textbook's table, in full. */
export function naiveDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const table = Array.from({ length: a.length + 1 }, (_, line) =>
    Array.from({ length: b.length + 1 }, (_, column) => line + column),
  );
  for (let line = 1; line <= a.length; line++)
    for (let column = 1; column <= b.length; column++)
      table[line][column] = Math.min(
        table[line - 1][column] + 1,
        table[line][column - 1] + 1,
        table[line - 1][column - 1] + (a[line - 1] === b[column - 1] ? 0 : 1),
      );
  return table[a.length][b.length];
}
