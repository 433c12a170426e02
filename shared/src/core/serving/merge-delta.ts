/** What a JSON object of a stream holds. */
export type JsonObject = Record<string, unknown>;

/** Told once or again and again, but always whole: the last one holds. Every other text is told in pieces. */
const WHOLE = new Set(["id", "type", "role", "name", "index", "finish_reason", "stop_reason"]);
/** Lists of which each entry says by its `index` what it goes on with. */
const INDEXED = new Set(["tool_calls"]);

/**
 * Adds to what a stream has told so far what is new: texts and lists grow, objects are joined field by field, and of whatever else the
 * last one holds. Null adds nothing.
 *
 * @param told - changed in place; holds nothing of `delta` afterwards that the caller could change
 */
export function mergeDelta(told: JsonObject, delta: JsonObject): void {
  for (const [name, value] of Object.entries(delta)) {
    // a name that would reach an object's prototype is nobody's field
    if (name === "__proto__") continue;
    const before = told[name];
    if (value === null || value === undefined) told[name] = before ?? null;
    else if (INDEXED.has(name) && Array.isArray(value)) told[name] = mergeIndexed(before, value);
    else if (typeof before === "string" && typeof value === "string" && !WHOLE.has(name)) told[name] = before + value;
    else if (Array.isArray(before) && Array.isArray(value)) before.push(...value.map(copy));
    else if (isObject(before) && isObject(value)) mergeDelta(before, value);
    else told[name] = copy(value);
  }
}

/** Entries with an index, in its order. */
function mergeIndexed(before: unknown, entries: readonly unknown[]): JsonObject[] {
  const merged = Array.isArray(before) ? (before as JsonObject[]) : [];
  for (const entry of entries.filter(isObject)) {
    const known = merged.find(({ index }) => index === entry.index);
    if (known === undefined) merged.push(copy(entry));
    else mergeDelta(known, entry);
  }
  return merged.sort((a, b) => Number(a.index) - Number(b.index));
}

/** Texts and numbers, which most of a stream is, need none. */
function copy<T>(value: T): T {
  return typeof value === "object" ? structuredClone(value) : value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
