/** A string, whole or cut off by the text's end, or a mark of JSON's structure. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?$)|[{}[\],:]/gs;

/**
 * The text members of the outermost object of a JSON text that may be cut off anywhere, as AWS cuts an error's cause after
 * 32,768 characters. A text that the cut runs through is given as far as it goes; nothing is thrown for what is no JSON.
 */
export function textMembers(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let depth = 0;
  let key: string | null = null;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth !== 1 || token === ":") continue;
    else if (token === ",") key = null;
    else if (key === null) key = decoded(token);
    else found.set(key, decoded(token));
  }
  return found;
}

/** A cut string ends without its quotation mark, perhaps within an escape: `\`, `\u`, `\u00e`. */
function decoded(token: string): string {
  return attempt(token) ?? attempt(`${token}"`) ?? attempt(`${token.replace(/\\(u[0-9a-fA-F]{0,3})?$/, "")}"`) ?? "";
}

function attempt(json: string): string | null {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
