/**
 * Where a record stands, as errors name it: a .json file has rows, any other lines.
 * @param line - from 1
 * @example placeInFile("data/rte.json", 3) // "data/rte.json, row 3"
 */
export function placeInFile(file: string, line: number): string {
  return `${file}, ${file.endsWith(".json") ? "row" : "line"} ${line}`;
}
