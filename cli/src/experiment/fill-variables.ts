import type { SpecIssue } from "@fedmkt/shared/contracts/spec-issues.ts";

type Mapping = Readonly<Record<string, unknown>>;

const NAME = /^[A-Z][A-Z0-9_]{0,62}$/;
const VARIABLE = /\$\{([A-Z][A-Z0-9_]*)\}/g;
const WHOLE = /^\$\{([A-Z][A-Z0-9_]*)\}$/;

/** Of the run itself and of the environment: an experiment's own may not stand for them. */
const TAKEN = ["SEED"];

/**
 * Puts the values of a merged spec's `variables` where the spec says `${NAME}`, and takes the mapping out. A text that is one variable
 * becomes its value, number or text; within a text the value is written. A name that is no variable stays: in locations it may be the
 * environment's.
 */
export function fillVariables(merged: unknown): { value: unknown; issues: SpecIssue[] } {
  if (typeof merged !== "object" || merged === null || !("variables" in merged)) return { value: merged, issues: [] };
  const { variables, ...spec } = merged as Mapping;
  const issues = findVariableIssues(variables);
  return issues.length > 0 ? { value: spec, issues } : { value: fill(spec, variables as Mapping), issues };
}

function findVariableIssues(variables: unknown): SpecIssue[] {
  if (typeof variables !== "object" || variables === null || Array.isArray(variables))
    return [{ path: ["variables"], message: "expected names with their values" }];
  return Object.entries(variables).flatMap(([name, value]): SpecIssue[] => {
    const path = ["variables", name];
    if (!NAME.test(name)) return [{ path, message: "expected a name of capitals, digits and _, such as TASK" }];
    if (TAKEN.includes(name)) return [{ path, message: `${name} stands for the run's seed; expected another name` }];
    const known = ["string", "number", "boolean"].includes(typeof value);
    return known ? [] : [{ path, message: "expected a text, a number, or true or false" }];
  });
}

function fill(value: unknown, variables: Mapping): unknown {
  if (typeof value === "string") return fillText(value, variables);
  if (Array.isArray(value)) return value.map((item) => fill(item, variables));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner, variables)]));
}

function fillText(text: string, variables: Mapping): unknown {
  const whole = WHOLE.exec(text)?.[1];
  if (whole !== undefined && Object.hasOwn(variables, whole)) return variables[whole];
  return text.replaceAll(VARIABLE, (found, name: string) =>
    Object.hasOwn(variables, name) ? String(variables[name]) : found,
  );
}
