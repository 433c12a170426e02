import type { LocalResource } from "./assembly.ts";

export interface RuleTarget {
  arn: string;
  /** what the target gets for an event: the event itself */
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
 * item must match: a plain value, or `{wildcard}`; rules with another operator are refused.
 */
export function matches(pattern: unknown, event: unknown): boolean {
  if (Array.isArray(pattern)) return pattern.some((leaf) => matchesLeaf(leaf, event));
  return Object.entries(pattern as object).every(([key, part]) =>
    matches(part, (event as Record<string, unknown> | undefined)?.[key]),
  );
}

function matchesLeaf(leaf: unknown, value: unknown): boolean {
  if (typeof leaf !== "object" || leaf === null) return leaf === value;
  const [[operator, operand]] = Object.entries(leaf) as [[string, unknown]];
  if (operator !== "wildcard") throw new Error(`event pattern: the operator ${operator} is not served locally`);
  return typeof value === "string" && wildcard(String(operand)).test(value);
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
  const other = ["Input", "InputPath", "InputTransformer"].find((name) => target[name] !== undefined);
  if (other) throw new Error(`event rule: ${other} is not served locally, targets get the event`);
  return (event) => event;
}
