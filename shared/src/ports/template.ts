/** A value as JSON has it: what a template reads of a row, and what one expression of it gives. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A Jinja template, read once and filled in row by row. It sees the names it is given and nothing else. */
export interface Template {
  /**
   * @returns the text
   * @throws InvalidInputError `TEMPLATE_REFUSED`; its message holds names of the template, never what a row says
   */
  render(names: Readonly<Record<string, unknown>>): string;
  /** @returns what the expression stands for where the template is one `{{ expression }}` and nothing else; otherwise the text */
  evaluate(names: Readonly<Record<string, unknown>>): JsonValue;
}

export interface TemplateOptions {
  /** what it is called in errors, such as `template arc: prompt` */
  what: string;
  /** a name that is not there is an error, except in a condition, a test and before `default` */
  strict: boolean;
}

/** @throws InvalidInputError `TEMPLATE_INVALID` where it is no Jinja, or too long */
export type OpenTemplate = (source: string, options: TemplateOptions) => Template;
