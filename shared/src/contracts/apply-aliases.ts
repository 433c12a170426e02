import { ALIASES, type Alias } from "./aliases.ts";
import type { SpecIssue } from "./spec-issues.ts";
import { writePath } from "./spec-mistake.ts";

/** A spec's value with the spec's own names only. */
export interface AppliedAliases {
  value: unknown;
  issues: SpecIssue[];
  /** where the text has what now stands at this path */
  writtenAs(path: readonly PropertyKey[]): readonly PropertyKey[];
}

type Mapping = Record<string, unknown>;

/** Moves every accepted other name to the spec's own place; both names given is a mistake. The value given is left as it is. */
export function applyAliases(given: unknown): AppliedAliases {
  const value = structuredClone(given);
  const issues: SpecIssue[] = [];
  const origins = new Map<string, PropertyKey[]>();
  for (const alias of ALIASES)
    for (const within of expand(value, split(alias.within))) {
      const holder = readMapping(value, within);
      if (holder === null || !Object.hasOwn(holder, alias.name)) continue;
      const written = [...within, alias.name];
      const meant = translate(alias, holder[alias.name]);
      if (meant === undefined) {
        delete holder[alias.name];
        continue;
      }
      const own = ownPath(alias, within);
      const ownName = own.at(-1) as string;
      const target = makeMapping(value, own.slice(0, -1));
      // its own holder is not a mapping: that mistake is told by the schema, and the other name stays as it is
      if (target === null) continue;
      if (Object.hasOwn(target, ownName))
        issues.push({
          path: written,
          message: `the same as ${writePath(origins.get(writePath(own)) ?? own)}, which is given too; keep one of them`,
        });
      else {
        target[ownName] = meant;
        origins.set(writePath(own), written);
      }
      delete holder[alias.name];
    }
  return {
    value,
    issues,
    writtenAs: (path) => {
      for (let length = path.length; length > 0; length--) {
        const origin = origins.get(writePath(path.slice(0, length)));
        if (origin !== undefined) return [...origin, ...path.slice(length)];
      }
      return path;
    },
  };
}

function translate({ values }: Alias, value: unknown): unknown {
  const key = String(value);
  return values !== undefined && Object.hasOwn(values, key) ? values[key] : value;
}

/** `clients.*.training.rank` for the client at hand. */
function ownPath(alias: Alias, within: readonly PropertyKey[]): PropertyKey[] {
  return split(alias.means).map((part, index) => (part === "*" ? within[index] : part));
}

function split(path: string): string[] {
  return path === "" ? [] : path.split(".");
}

/** Every concrete path that a pattern stands for in this value. */
function expand(value: unknown, pattern: readonly string[]): PropertyKey[][] {
  const star = pattern.indexOf("*");
  if (star === -1) return [[...pattern]];
  const list = readMember(value, pattern.slice(0, star));
  if (!Array.isArray(list)) return [];
  return list.flatMap((_, index) =>
    expand(value, pattern.slice(star + 1)).map((rest) => [...pattern.slice(0, star), index, ...rest]),
  );
}

function readMember(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (parent, part) =>
      typeof parent === "object" && parent !== null ? (parent as Record<PropertyKey, unknown>)[part] : undefined,
    value,
  );
}

function readMapping(value: unknown, path: readonly PropertyKey[]): Mapping | null {
  const member = readMember(value, path);
  return typeof member === "object" && member !== null && !Array.isArray(member) ? (member as Mapping) : null;
}

/** The mapping at a path, made where it is absent. */
function makeMapping(value: unknown, path: readonly PropertyKey[]): Mapping | null {
  const existing = readMember(value, path);
  if (existing === undefined && path.length > 0) {
    const parent = readMapping(value, path.slice(0, -1));
    if (parent === null) return null;
    parent[path.at(-1) as string] = {};
  }
  return readMapping(value, path);
}
