import type { z } from "zod";

/** Longest value that an error message repeats. */
const QUOTED_CHARACTERS = 80;

/** A mistake before it has its place in a text. */
export interface SpecIssue {
  path: PropertyKey[];
  message: string;
  /** set where the mistake is a key that does not exist */
  unknownKey?: string;
}

type Issue = z.core.$ZodIssue;

/** zod's issues in our words: what was expected and what came. Unions are told by the branch that was meant. */
export function describeIssues(
  issues: readonly Issue[],
  value: unknown,
  parents: readonly PropertyKey[] = [],
): SpecIssue[] {
  return issues.flatMap((issue): SpecIssue[] => {
    const path = [...parents, ...issue.path];
    const got = read(value, path);
    const say = (expected: string): SpecIssue[] => [
      {
        path,
        message: got === undefined ? `missing; expected ${expected}` : `expected ${expected}, got ${quote(got)}`,
      },
    ];
    switch (issue.code) {
      case "unrecognized_keys":
        return issue.keys.map((key) => ({ path: [...path, key], message: "unknown key", unknownKey: key }));
      case "invalid_union":
        return describeUnion(issue.errors, got, value, path) ?? say(expectedOfUnion(issue.errors));
      case "invalid_type":
        return say(nameType(issue.expected));
      case "invalid_value":
        return say(oneOf(issue.values.map((allowed) => JSON.stringify(allowed))));
      case "too_small":
        return say(`${issue.inclusive === false ? "more than" : "at least"} ${amount(issue.minimum, issue.origin)}`);
      case "too_big":
        return say(`${issue.inclusive === false ? "less than" : "at most"} ${amount(issue.maximum, issue.origin)}`);
      case "custom":
        return [{ path, message: issue.message }];
      default:
        return say(issue.message.replace(/^expected /, ""));
    }
  });
}

/** The branch that takes this kind of value at all, if there is exactly one. */
function describeUnion(
  branches: readonly (readonly Issue[])[],
  got: unknown,
  value: unknown,
  path: readonly PropertyKey[],
): SpecIssue[] | null {
  if (got === undefined) return null;
  const meant = branches.filter(
    (branch) =>
      !branch.some((issue) => issue.path.length === 0 && ["invalid_type", "invalid_value"].includes(issue.code)),
  );
  return meant.length === 1 ? describeIssues(meant[0], value, path) : null;
}

function expectedOfUnion(branches: readonly (readonly Issue[])[]): string {
  return branches
    .map(([issue]) =>
      issue?.code === "invalid_value"
        ? oneOf(issue.values.map((allowed) => JSON.stringify(allowed)))
        : issue?.code === "invalid_type"
          ? nameType(issue.expected)
          : "another form",
    )
    .join(" or ");
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? values[0] : `one of ${values.join(", ")}`;
}

function amount(limit: number | bigint, origin: string): string {
  if (origin === "string") return `${limit} character${limit === 1 ? "" : "s"}`;
  if (origin === "array") return `${limit} item${limit === 1 ? "" : "s"}`;
  return String(limit);
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  object: "a mapping of keys to values",
  record: "a mapping of keys to values",
  array: "a list",
  tuple: "a list",
  null: "null",
};

function nameType(expected: string): string {
  return TYPE_NAMES[expected] ?? expected;
}

function read(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (parent, part) =>
      typeof parent === "object" && parent !== null ? (parent as Record<PropertyKey, unknown>)[part] : undefined,
    value,
  );
}

function quote(value: unknown): string {
  if (typeof value === "number") return String(value);
  const json = JSON.stringify(value);
  return json.length > QUOTED_CHARACTERS ? `${json.slice(0, QUOTED_CHARACTERS)}…` : json;
}
