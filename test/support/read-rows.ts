import { openTemplate } from "../../shared/src/adapters/templates/open-template.ts";
import type { TemplateSpec } from "../../shared/src/contracts/template-spec.ts";
import type { RawRecord } from "../../shared/src/core/samples/raw-record.ts";
import { readTemplatedRows } from "../../shared/src/use-cases/templated-rows.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Rows of a .jsonl file as a template writes them. */
export function readRows(template: TemplateSpec, ...rows: readonly unknown[]): RawRecord[] {
  return readTemplatedRows(
    openTemplate,
    template,
    bytes(rows.map((row) => JSON.stringify(row)).join("\n")),
    "it.jsonl",
  );
}

/** A .json file, which is one value. */
export function readJson(template: TemplateSpec, value: unknown): RawRecord[] {
  return readTemplatedRows(openTemplate, template, bytes(JSON.stringify(value)), "it.json");
}
