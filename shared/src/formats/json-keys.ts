/**
 * What JSON.parse lets pass: a key twice in one object (the last silently wins), nesting without end, and values without
 * number, each of which takes far more memory than text.
 *
 * Runs before JSON.parse, so that neither depth nor a twice-given key costs memory; text that is not JSON passes here and
 * fails there.
 *
 * @param maxValues - the most members of objects and items of lists in all
 * @param nameKey - a key that occurs twice, in the problem's words; `at` is its index in the text. Keys of data may be private
 * @returns the problem in words, or null
 *
 * Time O(n); memory O(keys).
 */
export function findJsonKeyProblem(
  json: string,
  maxDepth: number,
  nameKey: (key: string, at: number) => string,
  maxValues = Infinity,
): string | null {
  const keysOfOpen: (Set<string> | null)[] = [];
  let values = 0;
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    // each value but a list's first stands behind a comma, and that one behind the bracket
    if ((character === "," || character === "{" || character === "[") && ++values > maxValues)
      return `holds more than ${maxValues} values`;
    if (character === "{" || character === "[") {
      if (keysOfOpen.length === maxDepth) return `nested deeper than ${maxDepth}`;
      keysOfOpen.push(character === "{" ? new Set() : null);
    } else if (character === "}" || character === "]") keysOfOpen.pop();
    else if (character === '"') {
      const begin = at++;
      while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
      const keys = keysOfOpen.at(-1);
      if (!keys || !isFollowedByColon(json, at + 1)) continue;
      const key = decodeString(json.slice(begin, at + 1));
      if (keys.has(key)) return `the key ${nameKey(key, begin)} occurs twice`;
      keys.add(key);
    }
  }
  return null;
}

function isFollowedByColon(json: string, at: number): boolean {
  while (at < json.length && " \t\n\r".includes(json[at])) at++;
  return json[at] === ":";
}

function decodeString(raw: string): string {
  if (!raw.includes("\\")) return raw.slice(1, -1);
  try {
    return JSON.parse(raw) as string;
  } catch {
    return raw;
  }
}
