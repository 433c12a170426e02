import type { TemplateSpec } from "../contracts/template-spec.ts";
import { InvalidInputError } from "../core/errors.ts";
import type { RawRecord } from "../core/samples/raw-record.ts";
import { NAMED_TEMPLATES } from "../core/tasks/named-templates.ts";
import type { FieldKind, NamedTemplate, TaskTemplate, TemplateForm } from "../core/tasks/task-template.ts";
import { describeValue } from "../formats/describe-value.ts";
import { type RawRow, readRawRows } from "../formats/raw-rows.ts";
import type { JsonValue, OpenTemplate, Template } from "../ports/template.ts";

type Refuse = (reason: string) => InvalidInputError;

/**
 * A raw data set's rows as records, written by a template: a question where it has choices, else a prompt with its completion.
 * Errors name file, line and field, what was expected and what kind of value came, never what stands there.
 *
 * @param name - the file as errors name it; `.jsonl`, or `.json`
 * @throws InvalidInputError `TEMPLATE_INVALID`; `TEMPLATE_REFUSED` naming the row; `DATASET_INVALID`, `JSONL_…`
 */
export function readTemplatedRows(
  openTemplate: OpenTemplate,
  template: TemplateSpec,
  bytes: Uint8Array,
  name: string,
): RawRecord[] {
  const title = typeof template === "string" ? `template ${template}` : "template";
  const forms: readonly TemplateForm[] =
    typeof template === "string"
      ? (NAMED_TEMPLATES[template] as NamedTemplate).forms
      : [{ fields: {}, ...withoutAbsent(template) }];
  const writers = forms.map((form) => ({ form, write: writerOf(openTemplate, form, title) }));
  const lists = forms.flatMap(({ rows }) => rows ?? []);
  let first: { index: number; where: string } | null = null;
  return Array.from(readRawRows(bytes, name, lists), (row) => {
    const refuse: Refuse = (reason) => new InvalidInputError("TEMPLATE_REFUSED", `${row.place}: ${title}: ${reason}`);
    const index = forms.findIndex((form) => Object.keys(form.fields).every((path) => isThere(row, path)));
    if (index < 0) throw refuse(`${describeMissing(row, forms)}`);
    first ??= { index, where: row.place.slice(`${name}, `.length) };
    if (index !== first.index)
      throw refuse(
        `expected the fields ${Object.keys(forms[first.index].fields).join(", ")} as in ${first.where}, got ${Object.keys(forms[index].fields).join(", ")}; one file holds one form`,
      );
    for (const [path, kind] of Object.entries(forms[index].fields)) checkField(row, path, kind, refuse);
    return writers[index].write(row, refuse);
  });
}

/** zod gives absent keys as undefined ones or not at all, which are one to a template. */
function withoutAbsent(template: Exclude<TemplateSpec, string>): TaskTemplate {
  const { prompt, completion, references, choices, labels, correct } = template;
  return { prompt, completion, references, choices, labels, correct };
}

function isThere({ fields }: RawRow, path: string): boolean {
  const value = valueAt(fields, path);
  return value !== undefined && value !== null;
}

function valueAt(fields: Readonly<Record<string, unknown>>, path: string): unknown {
  return path.split(".").reduce<unknown>((parent, key) => {
    if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, key)) return undefined;
    return (parent as Record<string, unknown>)[key];
  }, fields);
}

/** Of several forms that one is meant of which the row has most. */
function describeMissing(row: RawRow, forms: readonly TemplateForm[]): string {
  const counted = forms.map(({ fields }) => {
    const paths = Object.keys(fields);
    const missing = paths.filter((path) => !isThere(row, path));
    return { missing, share: 1 - missing.length / paths.length };
  });
  const { missing } = counted.reduce((best, form) => (form.share > best.share ? form : best));
  const [path] = missing;
  const others = forms.map(({ fields }) => Object.keys(fields).join(", ")).join("; or ");
  return `${path}: expected a value, got ${describeValue(valueAt(row.fields, path))}; expected the fields ${others}`;
}

function checkField({ fields }: RawRow, path: string, kind: FieldKind, refuse: Refuse): void {
  const value = valueAt(fields, path);
  if (!IS_KIND[kind](value)) throw refuse(`${path}: expected ${EXPECTED[kind]}, got ${describeValue(value)}`);
}

const isTexts = (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");
const IS_KIND: Record<FieldKind, (value: unknown) => boolean> = {
  text: (value) => typeof value === "string",
  class: (value) => typeof value === "boolean" || Number.isInteger(value),
  "a list": (value) => Array.isArray(value),
  "an object": (value) => typeof value === "object" && !Array.isArray(value),
  "text or texts": (value) => typeof value === "string" || isTexts(value),
};
const EXPECTED: Record<FieldKind, string> = {
  text: "text",
  class: "a whole number, or true or false",
  "a list": "a list",
  "an object": "an object",
  "text or texts": "text, or a list of texts",
};

type Write = (row: RawRow, refuse: Refuse) => RawRecord;

function writerOf(openTemplate: OpenTemplate, template: TaskTemplate, title: string): Write {
  const open = (source: string, field: string) => openTemplate(source, { what: `${title}: ${field}`, strict: true });
  const openList = (source: string | readonly string[], field: string): Template | Template[] =>
    typeof source === "string" ? open(source, field) : source.map((one, index) => open(one, `${field}[${index}]`));
  const prompt = open(template.prompt, "prompt");
  const textOf = (of: Template, row: RawRow, field: string, refuse: Refuse) => {
    const text = inRow(row, () => of.render(row.fields));
    if (!text.isWellFormed()) throw refuse(`${field}: expected well-formed Unicode, got half a surrogate pair`);
    return text;
  };
  /** blank ones are left out: nothing is like them */
  const textsOf = (of: Template, row: RawRow, field: string, refuse: Refuse): string[] => {
    const given = inRow(row, () => of.evaluate(row.fields));
    const texts: readonly JsonValue[] = Array.isArray(given) ? given : [given];
    const found = texts.map((text) => {
      if (typeof text === "string" && text.isWellFormed()) return text;
      throw refuse(`${field}: expected text, or a list of texts, got ${describeValue(text)}`);
    });
    return found.filter((text) => text.trim() !== "");
  };
  if (template.completion !== undefined) {
    const completion = open(template.completion, "completion");
    const others = template.references === undefined ? null : open(template.references, "references");
    return (row, refuse) => {
      const answer = textOf(completion, row, "completion", refuse);
      if (answer.trim() === "") throw refuse(`completion: expected text, got ${describeValue(answer.trim())}`);
      const asked = textOf(prompt, row, "prompt", refuse);
      const references = others === null ? {} : { references: textsOf(others, row, "references", refuse) };
      return { kind: "completion", line: row.line, prompt: asked, completion: answer, ...references };
    };
  }
  const choices = openList(template.choices!, "choices");
  const labels = template.labels === undefined ? null : openList(template.labels, "labels");
  const correct = open(template.correct!, "correct");
  const listOf = (of: Template | Template[], row: RawRow, field: string, refuse: Refuse): string[] => {
    const list = Array.isArray(of)
      ? of.map((one) => inRow(row, () => one.render(row.fields)))
      : inRow(row, () => of.evaluate(row.fields));
    if (!Array.isArray(list)) throw refuse(`${field}: expected a list of texts, got ${describeValue(list)}`);
    return list.map((item: JsonValue, index) => {
      if (typeof item !== "string" || item.trim() === "" || !item.isWellFormed())
        throw refuse(`${field}[${index}]: expected text that is not empty, got ${describeValue(item)}`);
      return item;
    });
  };
  return (row, refuse) => {
    const texts = listOf(choices, row, "choices", refuse);
    if (texts.length < 2) throw refuse(`choices: expected at least two, got ${describeValue(texts)}`);
    const names = labels === null ? null : listOf(labels, row, "labels", refuse);
    if (names !== null && names.length !== texts.length)
      throw refuse(`labels: expected ${texts.length}, one for each choice, got ${describeValue(names)}`);
    const named = inRow(row, () => correct.evaluate(row.fields));
    const answer = findChoice(named, texts, names);
    if (answer < 0)
      throw refuse(
        `correct: expected an index from 0 to ${texts.length - 1}, a label or a choice's text, got ${describeValue(named)}`,
      );
    return { kind: "choice", line: row.line, prompt: textOf(prompt, row, "prompt", refuse), choices: texts, answer };
  };
}

/** A number is an index; a text is a label where there are labels, else a choice's text. White space around either counts for nothing. */
function findChoice(named: JsonValue, choices: readonly string[], labels: readonly string[] | null): number {
  if (typeof named === "number") return Number.isInteger(named) && named < choices.length ? named : -1;
  if (typeof named !== "string") return -1;
  const trimmed = (texts: readonly string[]) => texts.map((text) => text.trim()).indexOf(named.trim());
  const byLabel = labels === null ? -1 : trimmed(labels);
  return byLabel >= 0 ? byLabel : trimmed(choices);
}

/** A template knows no rows: where it refuses one, the row is named. */
function inRow<Result>({ place }: RawRow, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof InvalidInputError) throw new InvalidInputError(error.code, `${place}: ${error.message}`);
    throw error;
  }
}
