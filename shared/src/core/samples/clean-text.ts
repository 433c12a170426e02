/** What is done to a text before it is cut, for all parties alike. */
export interface Cleaning {
  /** runs of white space become one space */
  collapseWhitespace?: boolean;
  /** characters (code points) that stay; all others are dropped. Taken after white space, so that a dropped character may leave two spaces */
  keepCharacters?: Pick<ReadonlySet<string>, "has">;
}

export function cleanText(text: string, { collapseWhitespace, keepCharacters }: Cleaning): string {
  const collapsed = collapseWhitespace ? text.replace(/\s+/gu, " ") : text;
  if (keepCharacters === undefined) return collapsed;
  let kept = "";
  for (const character of collapsed) if (keepCharacters.has(character)) kept += character;
  return kept;
}
