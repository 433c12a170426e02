/** The edit distance by the textbook's table, in full: [a + 1, b + 1] in one array, since so many are asked for. */
export function naiveDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const { min } = Math;
  const width = b.length + 1;
  const table = new Int32Array((a.length + 1) * width);
  for (let column = 0; column < width; column++) table[column] = column;
  for (let line = 1; line <= a.length; line++) {
    table[line * width] = line;
    for (let column = 1; column <= b.length; column++) {
      const at = line * width + column;
      const replaced = table[at - width - 1] + (a[line - 1] === b[column - 1] ? 0 : 1);
      table[at] = min(table[at - width] + 1, table[at - 1] + 1, replaced);
    }
  }
  return table[a.length * width + b.length];
}
