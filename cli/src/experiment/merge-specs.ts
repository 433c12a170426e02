type Mapping = Record<string, unknown>;
type Path = readonly PropertyKey[];

/** Lays parts of a spec over one another, the last one uppermost: mappings merge key by key, lists and single values replace. */
export function mergeSpecs(parts: readonly unknown[]): unknown {
  return parts.reduce(mergeTwo);
}

function mergeTwo(lower: unknown, upper: unknown): unknown {
  if (!isMapping(lower) || !isMapping(upper)) return upper;
  const merged: Mapping = { ...lower };
  for (const [key, value] of Object.entries(upper))
    merged[key] = Object.hasOwn(lower, key) ? mergeTwo(lower[key], value) : value;
  return merged;
}

/**
 * The part that what stands at a path of the merged spec came from: the one that reaches furthest along the path, of several the
 * uppermost; the lowest where none reaches anywhere.
 */
export function partAt(parts: readonly unknown[], path: Path): number {
  let best = 0;
  let furthest = 0;
  for (const [index, part] of parts.entries()) {
    const reached = reachAlong(part, path);
    if (reached > 0 && reached >= furthest) [best, furthest] = [index, reached];
  }
  return best;
}

function reachAlong(part: unknown, path: Path): number {
  let value = part;
  for (const [reached, step] of path.entries()) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return reached;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return path.length;
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
