/** Enough to find the place by, little enough for a log line. */
const QUOTED_CHARACTERS = 80;

/** Any value from outside as it may stand in an error message: as JSON, cut to a fair length, never throwing. */
export function quote(value: unknown): string {
  if (typeof value === "bigint") return `${value}`;
  if (typeof value === "number" && !Number.isFinite(value)) return `${value}`;
  const short = typeof value === "string" ? value.slice(0, QUOTED_CHARACTERS + 1) : value;
  const json = writeJson(short) ?? String(value);
  // a cut may part a surrogate pair
  return json.length > QUOTED_CHARACTERS + 2 ? `${json.slice(0, QUOTED_CHARACTERS).toWellFormed()}…` : json;
}

/** JSON.parse follows any depth, JSON.stringify only as far as the stack goes. */
function writeJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return "a value that is nested too deeply";
  }
}
