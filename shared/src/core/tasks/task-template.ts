/** How a row of a raw data set becomes a prompt and its completion, or a question: texts in Jinja over the row's fields. */
export interface TaskTemplate {
  prompt: string;
  /** what should follow the prompt, as it stands */
  completion?: string;
  /** beside it: one `{{ expression }}` that is a text or a list of texts, each of which would be as right */
  references?: string;
  /** instead of it: a question's choices, one text each, or one `{{ expression }}` that is their list */
  choices?: string | readonly string[];
  /** what `correct` may call the choices, in their order; as `choices` */
  labels?: string | readonly string[];
  /** the right choice: its index from 0, its label, or its text */
  correct?: string;
}

/** What a field of a row must be. */
export type FieldKind =
  | "text"
  /** a whole number, or false and true for 0 and 1 */
  | "class"
  | "a list"
  | "an object"
  /** one text, or a list of them of which the first is taken */
  | "text or texts";

/** One form that a set's rows are published in. */
export interface TemplateForm extends TaskTemplate {
  /** the fields that are read, by their paths: `choices.text` */
  fields: Readonly<Record<string, FieldKind>>;
  /** where a .json file is one object: the key of its list of rows; each row has the object's other keys beside its own */
  rows?: string;
}

/** A template that goes by a name. */
export interface NamedTemplate {
  /** the set, and whose words the prompt is */
  source: string;
  /** what FATE-LLM or offsite-tuning write otherwise, and why it is not done here; or what is not known */
  note?: string;
  /** the first form whose fields a row has is its form */
  forms: readonly TemplateForm[];
}
