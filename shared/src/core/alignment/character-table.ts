import { CODE_POINTS, writeCodePoints } from "./code-points.ts";

/** Strings of characters, one after another in one array: nothing to allocate or to follow for each string. */
export interface CharacterTable {
  characters: Int32Array;
  /** [rows + 1] where each row's characters begin; the last is where they end */
  starts: Int32Array;
}

/** The code points of strings, half a surrogate pair being one of its own. */
export function tableOfStrings(strings: readonly string[]): CharacterTable {
  const table = emptyTable(strings);
  let end = 0;
  for (let row = 0; row < strings.length; row++) {
    const string = strings[row];
    for (let index = 0; index < string.length; index++) {
      const point = string.codePointAt(index)!;
      if (point > 0xffff) index++;
      table.characters[end++] = point;
    }
    table.starts[row + 1] = end;
  }
  return table;
}

/** The characters of tokens given as bytes, as `codePointsOf` tells them. */
export function tableOfBytes(tokens: readonly Uint8Array[]): CharacterTable {
  const table = emptyTable(tokens);
  let end = 0;
  for (let row = 0; row < tokens.length; row++) {
    end = writeCodePoints(tokens[row], table.characters, end);
    table.starts[row + 1] = end;
  }
  return table;
}

/**
 * Numbers the targets' characters from 1 on and writes the numbers into both tables; a character of the sources that no
 * target has becomes 0, since all of them are alike in that they equal nothing.
 *
 * @returns the largest number
 */
export function numberCharacters(sources: CharacterTable, targets: CharacterTable): number {
  const numbers = new Int32Array(CODE_POINTS);
  let last = 0;
  const { characters } = targets;
  for (let index = 0; index < characters.length; index++) {
    const point = characters[index];
    if (numbers[point] === 0) numbers[point] = ++last;
    characters[index] = numbers[point];
  }
  for (let index = 0; index < sources.characters.length; index++)
    sources.characters[index] = numbers[sources.characters[index]];
  return last;
}

function emptyTable(rows: readonly { length: number }[]): CharacterTable {
  let most = 0;
  for (const { length } of rows) most += length;
  return { characters: new Int32Array(most), starts: new Int32Array(rows.length + 1) };
}
