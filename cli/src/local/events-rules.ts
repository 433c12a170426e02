import type { LocalResource } from "./assembly.ts";

export interface RuleTarget {
  arn: string;
  /** what the target gets for an event: the event itself, a part of it, or a constant */
  input: (event: unknown) => unknown;
}

/** The targets of all rules of the assembly that an event matches, in the order of the template. */
export function rulesOf(resources: readonly LocalResource[]): (event: unknown) => RuleTarget[] {
  const rules = resources
    .filter((resource) => resource.type === "AWS::Events::Rule" && resource.properties.State !== "DISABLED")
    .map(({ properties }) => ({
      pattern: properties.EventPattern,
      targets: ((properties.Targets ?? []) as Record<string, unknown>[]).map((target) => ({
        arn: String(target.Arn),
        input: inputOf(target),
      })),
    }))
    .filter(({ pattern }) => pattern !== undefined);
  return (event) => rules.filter(({ pattern }) => matches(pattern, event)).flatMap(({ targets }) => targets);
}

/**
 * Whether an EventBridge pattern matches an event. A pattern's objects nest like the event's; its leaves are lists, of which one
 * item must match: a plain value, or `{prefix}`, `{suffix}`, `{wildcard}`, `{exists}`, `{anything-but}`, `{equals-ignore-case}`.
 */
export function matches(pattern: unknown, event: unknown): boolean {
  if (Array.isArray(pattern)) {
    const values = Array.isArray(event) ? event : [event];
    return pattern.some((leaf) => values.some((value) => matchesLeaf(leaf, value)));
  }
  if (typeof pattern !== "object" || pattern === null) return pattern === event;
  return Object.entries(pattern).every(([key, part]) => {
    if (key === "$or") return (part as unknown[]).some((alternative) => matches(alternative, event));
    return matches(part, (event as Record<string, unknown> | undefined)?.[key]);
  });
}

function matchesLeaf(leaf: unknown, value: unknown): boolean {
  if (typeof leaf !== "object" || leaf === null) return leaf === value;
  const [[operator, operand]] = Object.entries(leaf) as [[string, unknown]];
  const text = typeof value === "string" ? value : undefined;
  switch (operator) {
    case "prefix":
      return text?.startsWith(String(operand)) ?? false;
    case "suffix":
      return text?.endsWith(String(operand)) ?? false;
    case "wildcard":
      return text !== undefined && wildcard(String(operand)).test(text);
    case "equals-ignore-case":
      return text?.toLowerCase() === String(operand).toLowerCase();
    case "exists":
      return (value !== undefined) === operand;
    case "anything-but":
      return value !== undefined && ![operand].flat().some((excluded) => matchesLeaf(excluded, value));
    default:
      throw new Error(`event pattern: the operator ${operator} is not served locally`);
  }
}

/** `*` stands for any characters, also none and also slashes; `\*` for a star. */
function wildcard(pattern: string): RegExp {
  const source = pattern.replace(/\\[\\*]|[\s\S]/g, (part) => {
    if (part === "*") return "[\\s\\S]*";
    return (part.length === 2 ? part[1]! : part).replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  });
  return new RegExp(`^${source}$`);
}

function inputOf(target: Record<string, unknown>): (event: unknown) => unknown {
  if (typeof target.Input === "string") {
    const constant: unknown = JSON.parse(target.Input);
    return () => constant;
  }
  if (typeof target.InputPath === "string") return (event) => at(event, target.InputPath as string);
  const transformer = target.InputTransformer as
    | { InputPathsMap?: Record<string, string>; InputTemplate: string }
    | undefined;
  if (!transformer) return (event) => event;
  return (event) => {
    const value = (name: string) => at(event, transformer.InputPathsMap?.[name] ?? "");
    // a whole string literal, in which <names> stand as text, or a bare <name>, which stands for its JSON value
    const filled = transformer.InputTemplate.replace(/"(?:[^"\\]|\\.)*"|<([^<>]+)>/g, (part, bare?: string) => {
      if (bare !== undefined) return JSON.stringify(value(bare) ?? null);
      return part.replace(/<([^<>]+)>/g, (_, name: string) => JSON.stringify(String(value(name) ?? "")).slice(1, -1));
    });
    return JSON.parse(filled) as unknown;
  };
}

/** Dotted paths only, such as `$.detail.object.key`: what CDK writes. */
function at(event: unknown, path: string): unknown {
  return path
    .replace(/^\$\.?/, "")
    .split(".")
    .filter(Boolean)
    .reduce((part, key) => (part as Record<string, unknown> | undefined)?.[key], event);
}
