import * as jinja from "@huggingface/jinja";
import { InvalidInputError } from "../../core/errors.ts";
import type { JsonValue, Template, TemplateOptions } from "../../ports/template.ts";

interface Node {
  readonly type: string;
}
interface Program extends Node {
  readonly body: readonly Node[];
}
interface Value {
  readonly type: string;
  readonly value: unknown;
}
interface Scope {
  readonly variables: Map<string, Value>;
  set(name: string, value: unknown): void;
}

/** The library's declarations name their files without endings, which Node's resolution does not find: what is used of it. */
const { Environment, Interpreter, parse, tokenize } = jinja as unknown as {
  Environment: new (parent?: Scope) => Scope;
  Interpreter: new (
    scope: Scope,
  ) => { run(program: Program): Value; evaluate(node: Node | undefined, scope: Scope): Value };
  parse(tokens: unknown): Program;
  tokenize(source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }): unknown;
};

/** Longest template, in UTF-16 units; the longest chat templates have 20,000. */
const MAX_TEMPLATE = 65_536;
/** What one filling-in may take, in characters read or written: about a second. */
const MAX_WORK = 20_000_000;
/** A step, or an item of a list, takes as long as so many characters. */
const STEP = 16;
const MAX_RANGE = 10_000;
/** What template text is: everything else at the top is a statement, or an expression that is written out. */
const NO_EXPRESSION = "StringLiteral If For Set Macro CallStatement FilterStatement Comment Break Continue".split(" ");

/**
 * A Jinja template by `@huggingface/jinja`, white space treated as transformers does it (`trim_blocks`, `lstrip_blocks`).
 *
 * A template may come from someone else than the rows it reads, so it gets the row's fields, `range` and `raise_exception` alone: no
 * clock (`strftime_now` is not defined, so that equal rows are equal texts), and a bounded amount of work.
 */
export function openTemplate(source: string, { what, strict }: TemplateOptions): Template {
  const program = parseTemplate(source, what);
  const open = (names: Readonly<Record<string, unknown>>): [LimitedInterpreter, Scope] => {
    const environment = environmentOf(names);
    return [new LimitedInterpreter(environment, strict ? lenientNodes(program) : null), environment];
  };
  const guarded = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      throw new InvalidInputError("TEMPLATE_REFUSED", `${what}: ${describe(error)}`);
    }
  };
  const render: Template["render"] = (names) =>
    guarded(() => {
      const [interpreter] = open(names);
      return String(interpreter.run(program).value);
    });
  const [only] = program.body;
  const isExpression = program.body.length === 1 && !NO_EXPRESSION.includes(only.type);
  return {
    render,
    evaluate: (names) => {
      if (!isExpression) return render(names);
      return guarded(() => {
        const [interpreter, environment] = open(names);
        return toJson(interpreter.evaluate(only, environment));
      });
    },
  };
}

function parseTemplate(source: string, what: string): Program {
  const refuse = (reason: string) => new InvalidInputError("TEMPLATE_INVALID", `${what}: ${reason}`);
  if (source.length > MAX_TEMPLATE)
    throw refuse(`expected a template of at most ${MAX_TEMPLATE} characters, got ${source.length}`);
  try {
    return parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
  } catch (error) {
    throw refuse(`expected Jinja, got a mistake in it: ${(error as Error).message}`);
  }
}

/** Fields come in a scope of their own, so that a row may have one that is called as a function is. */
function environmentOf(names: Readonly<Record<string, unknown>>): Scope {
  const globals = new Environment();
  for (const [name, value] of Object.entries({ true: true, false: false, none: null })) {
    globals.set(name, value);
    globals.set(`${name[0].toUpperCase()}${name.slice(1)}`, value);
  }
  globals.set("range", boundedRange);
  globals.set("raise_exception", () => {
    throw new Refusal("it refuses the row (raise_exception)");
  });
  const scope = new Environment(globals);
  scope.variables.clear();
  for (const [name, value] of Object.entries(names)) scope.set(name, value);
  return scope;
}

function boundedRange(first: number, last?: number, step = 1): number[] {
  const [begin, end] = last === undefined ? [0, first] : [first, last];
  const count = Math.max(0, Math.ceil((end - begin) / step));
  if (!(count <= MAX_RANGE)) throw new Refusal(`range: expected at most ${MAX_RANGE} numbers`);
  return Array.from({ length: count }, (_, index) => begin + index * step);
}

/** Why a template was ended, in words that hold nothing of a row. */
class Refusal extends Error {}

/** Counts what a template does, and where it is to be strict looks at every name it reads. */
class LimitedInterpreter extends Interpreter {
  #work = 0;
  #lenient = 0;
  readonly #lenientNodes: ReadonlySet<Node> | null;

  constructor(environment: Scope, lenient: ReadonlySet<Node> | null) {
    super(environment);
    this.#lenientNodes = lenient;
  }

  override evaluate(node: Node | undefined, environment: Scope): Value {
    const isLenient = node !== undefined && this.#lenientNodes?.has(node) === true;
    if (isLenient) this.#lenient++;
    try {
      const value = super.evaluate(node, environment);
      this.#work += STEP + sizeOf(value);
      if (this.#work > MAX_WORK) throw new Refusal(`expected less work (loops, long texts) for one row`);
      if (this.#lenientNodes !== null && this.#lenient === 0 && node !== undefined) refuseMissing(node, value);
      return value;
    } finally {
      if (isLenient) this.#lenient--;
    }
  }
}

function sizeOf({ value }: Value): number {
  if (typeof value === "string") return value.length;
  return Array.isArray(value) ? STEP * value.length : 0;
}

function refuseMissing(node: Node, value: Value): void {
  if (value.type !== "UndefinedValue" && value.type !== "NullValue") return;
  const name = nameOf(node);
  if (name !== null && !["none", "None"].includes(name))
    throw new Refusal(`${name}: expected a value, got ${value.type === "NullValue" ? "null" : "nothing"}`);
}

/** @returns what a name or a member is called in the template; null for all else */
function nameOf(node: Node): string | null {
  if (node.type === "Identifier") return (node as unknown as { value: string }).value;
  if (node.type !== "MemberExpression") return null;
  const { object, property, computed } = node as unknown as { object: Node; property: Node; computed: boolean };
  const owner = nameOf(object) ?? "…";
  const { value } = property as unknown as { value?: unknown };
  if (!computed) return `${owner}.${value}`;
  return property.type === "StringLiteral" ? `${owner}.${value}` : `${owner}[…]`;
}

/** Where a name may be missing: conditions, tests (`is defined`), and what stands before `default`. */
function lenientNodes(program: Program): ReadonlySet<Node> {
  const found = new Set<Node>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (value instanceof Map) {
      for (const [key, entry] of value) {
        visit(key);
        visit(entry);
      }
      return;
    }
    const node = value as Node & { test?: Node; condition?: Node; operand?: Node; filter?: Node };
    if (node.type === "If" || node.type === "SelectExpression") found.add(node.test!);
    if (node.type === "Ternary") found.add(node.condition!);
    if (node.type === "TestExpression") found.add(node.operand!);
    if (node.type === "FilterExpression" && filterName(node.filter!) === "default") found.add(node.operand!);
    for (const child of Object.values(node)) visit(child);
  };
  visit(program);
  return found;
}

function filterName(filter: Node): unknown {
  const { value, callee } = filter as unknown as { value?: unknown; callee?: { value?: unknown } };
  return callee === undefined ? value : callee.value;
}

function toJson(value: Value): JsonValue {
  const inner: unknown = value.value;
  if (inner instanceof Map) return Object.fromEntries([...inner].map(([key, entry]) => [key, toJson(entry)]));
  if (Array.isArray(inner)) return inner.map(toJson);
  if (inner === undefined || inner === null) return null;
  if (typeof inner === "function") throw new Refusal("expected a value, got a function");
  return inner as JsonValue;
}

/** The library's own messages name kinds of values and parts of the template, but for names in single quotes, which may be a row's keys. */
function describe(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  if (error instanceof RangeError) return "expected less nesting and shorter texts";
  return (error as Error).message.replaceAll(/'[^']*'/g, "…") || "expected break and continue in a loop alone";
}
