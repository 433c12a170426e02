const VOID = new Set(["meta", "line", "circle", "polyline", "!doctype"]);
const TAG = /<(\/?)([a-z!][a-z0-9]*)(?:\s+[\w:-]+(?:="[^"<>]*")?)*\s*\/?>/g;

/** The first tag that closes nothing or is not closed; null where the page nests as it should. */
export function findNestingMistake(page: string): string | null {
  const open: string[] = [];
  const body = page.replace(/<style>[^<]*<\/style>/, "");
  for (const [tag, slash, name] of body.matchAll(TAG)) {
    if (slash && open.pop() !== name) return tag;
    if (!slash && !VOID.has(name!) && !tag.endsWith("/>")) open.push(name!);
  }
  const stray = body.replaceAll(TAG, "").match(/[<>]/);
  return stray ? `stray ${stray[0]}` : (open.at(-1) ?? null);
}
