import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

export type Template = {
  Resources?: Record<string, Resource>;
  Outputs?: Record<string, { Value: unknown; Condition?: string; Export?: { Name: unknown } }>;
  Parameters?: Record<string, { Type?: string; Default?: unknown }>;
  Conditions?: Record<string, unknown>;
  Mappings?: Record<string, Record<string, Record<string, unknown>>>;
};
export type Resource = { Type: string; Condition?: string; Properties?: Record<string, unknown> };

/** Where the references of one template point. Unknown names give undefined, and evaluation throws. */
export interface References {
  ref(logicalId: string): unknown;
  attribute(logicalId: string, attribute: string): unknown;
  imported(exportName: string): unknown;
}

/** The values of `AWS::…` in every local template. */
export const PSEUDO_PARAMETERS: Readonly<Record<string, unknown>> = {
  "AWS::Region": "us-east-1",
  "AWS::AccountId": "000000000000",
  "AWS::Partition": "aws",
  "AWS::URLSuffix": "amazonaws.com",
  "AWS::NotificationARNs": [],
};
const NO_VALUE = Symbol("AWS::NoValue");

/**
 * Evaluates CloudFormation's intrinsic functions in a value.
 *
 * @param parameters - what the stack is made with; the template's defaults stand for the others
 * @returns a function from a template's value to plain JSON; `AWS::NoValue` removes its property or list item
 * @throws InvalidInputError `TEMPLATE_REFERENCE` for what points nowhere, `TEMPLATE_FUNCTION` for a function not known here
 */
export function evaluator(
  stack: string,
  template: Template,
  parameters: Readonly<Record<string, string>>,
  references: References,
): (value: unknown) => unknown {
  const unresolved = (what: string): never => {
    throw new InvalidInputError("TEMPLATE_REFERENCE", `stack ${stack}: ${what} points nowhere`);
  };
  const parameter = (name: string): unknown => {
    const declared = template.Parameters?.[name];
    const value = declared && (parameters[name] ?? declared.Default);
    const isList = declared?.Type === "CommaDelimitedList" || declared?.Type?.startsWith("List<");
    return isList && value !== undefined ? String(value).split(",") : value;
  };
  const ref = (name: string): unknown => {
    if (name === "AWS::NoValue") return NO_VALUE;
    if (name === "AWS::StackName" || name === "AWS::StackId") return stack;
    return PSEUDO_PARAMETERS[name] ?? parameter(name) ?? references.ref(name) ?? unresolved(`Ref ${name}`);
  };
  const attribute = (id: string, name: string) =>
    references.attribute(id, name) ?? unresolved(`Fn::GetAtt ${id}.${name}`);
  const condition = (name: string): boolean =>
    evaluate(template.Conditions?.[name] ?? unresolved(`condition ${name}`)) === true;
  const list = (value: unknown): unknown[] => {
    const items = evaluate(value);
    return Array.isArray(items) ? items : unresolved(`a list, but ${JSON.stringify(items)} is none, so it`);
  };

  const functions: Record<string, (argument: never) => unknown> = {
    Ref: (name: string) => ref(name),
    Condition: (name: string) => condition(name),
    "Fn::GetAtt": (path: string | [string, string]) => {
      const [id, ...rest] = typeof path === "string" ? path.split(".") : path;
      return attribute(id!, rest.join("."));
    },
    "Fn::Join": ([separator, parts]: [string, unknown]) => list(parts).join(separator),
    "Fn::Sub": (argument: string | [string, Record<string, unknown>]) => {
      const [text, variables] = typeof argument === "string" ? [argument, {} as Record<string, unknown>] : argument;
      return text.replace(/\$\{([^}]+)\}/g, (_, name: string) => {
        if (name.startsWith("!")) return `\${${name.slice(1)}}`;
        if (name in variables) return String(evaluate(variables[name]));
        const [id, ...rest] = name.split(".");
        return String(rest.length > 0 ? attribute(id!, rest.join(".")) : ref(name));
      });
    },
    "Fn::Select": ([index, items]: [unknown, unknown]) => {
      const [at, all] = [Number(evaluate(index)), list(items)];
      return all[at] ?? unresolved(`Fn::Select of item ${at} of ${all.length}`);
    },
    "Fn::Split": ([separator, text]: [string, unknown]) => String(evaluate(text)).split(separator),
    "Fn::ImportValue": (name: unknown) => {
      const text = String(evaluate(name));
      return references.imported(text) ?? unresolved(`Fn::ImportValue ${text}`);
    },
    "Fn::FindInMap": (path: unknown[]) => {
      const [map, first, second] = path.map((part) => String(evaluate(part)));
      return template.Mappings?.[map!]?.[first!]?.[second!] ?? unresolved(`Fn::FindInMap ${map}.${first}.${second}`);
    },
    "Fn::Base64": (text: unknown) => Buffer.from(String(evaluate(text))).toString("base64"),
    "Fn::GetAZs": () => ["us-east-1a", "us-east-1b", "us-east-1c"],
    "Fn::If": ([name, yes, no]: [string, unknown, unknown]) => evaluate(condition(name) ? yes : no),
    "Fn::Equals": ([left, right]: [unknown, unknown]) => String(evaluate(left)) === String(evaluate(right)),
    "Fn::Not": ([operand]: [unknown]) => evaluate(operand) !== true,
    "Fn::And": (operands: unknown[]) => operands.every((operand) => evaluate(operand) === true),
    "Fn::Or": (operands: unknown[]) => operands.some((operand) => evaluate(operand) === true),
  };

  function evaluate(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(evaluate).filter((item) => item !== NO_VALUE);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value);
    const [name, argument] = entries[0] ?? [];
    if (entries.length === 1 && name !== undefined && (name in functions || name.startsWith("Fn::"))) {
      const apply = functions[name];
      if (!apply)
        throw new InvalidInputError("TEMPLATE_FUNCTION", `stack ${stack}: ${name} cannot be evaluated locally`);
      return apply(argument as never);
    }
    return Object.fromEntries(
      entries.map(([key, item]) => [key, evaluate(item)] as const).filter(([, item]) => item !== NO_VALUE),
    );
  }
  return evaluate;
}
