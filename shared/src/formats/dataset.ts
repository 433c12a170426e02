import { InvalidInputError } from "../core/errors.ts";
import type { RawRecord } from "../core/samples/raw-record.ts";
import { describeUnknownKeys, describeValue } from "./describe-value.ts";
import { type JsonLine, readJsonLines } from "./jsonl.ts";

/** Longest file: V8's strings end at 512 MiB, and a plain text is one string. */
export const MAX_DATASET_BYTES = 500_000_000;
/** Keys that any record may have beside its schema's, and that nothing reads. */
const IGNORED = ["id", "source", "meta"];
const MESSAGE_KEYS = ["role", "content"];
const ROLES = ["system", "user", "assistant", "tool"];

type Fields = Record<string, unknown>;
type Refuse = (reason: string) => InvalidInputError;

interface Schema {
  name: string;
  required: readonly string[];
  optional: readonly string[];
  parse: (fields: Fields, line: number, refuse: Refuse) => RawRecord;
}

const SCHEMAS: readonly Schema[] = [
  { name: '{"text"}', required: ["text"], optional: [], parse: parseText },
  { name: '{"prompt","completion"}', required: ["prompt", "completion"], optional: [], parse: parseCompletion },
  {
    name: '{"instruction","input"?,"output"}',
    required: ["instruction", "output"],
    optional: ["input"],
    parse: parseInstruction,
  },
  { name: '{"messages"}', required: ["messages"], optional: [], parse: parseMessages },
  {
    name: '{"question","choices","answer"}',
    required: ["question", "choices", "answer"],
    optional: [],
    parse: (fields, line, refuse) => parseChoice("question", fields, line, refuse),
  },
  {
    name: '{"prompt","choices","answer"}',
    required: ["prompt", "choices", "answer"],
    optional: [],
    parse: (fields, line, refuse) => parseChoice("prompt", fields, line, refuse),
  },
];
const KNOWN = [...new Set(SCHEMAS.flatMap(({ required, optional }) => [...required, ...optional])), ...IGNORED];

/**
 * A data file as records. A name that ends in `.jsonl` holds JSON Lines, all lines of one schema; any other file is plain
 * text, one record.
 *
 * - `{"text"}`: a text, cut later
 * - `{"prompt","completion"}`: as they stand; nothing is put between them
 * - `{"instruction","input"?,"output"}`: the prompt is instruction, newline, and, where there is an input, input, newline
 * - `{"messages":[{"role","content"},…]}`: the last message is the assistant's and is the completion; the prompt is a line
 *   `role: content` for each message before it. No chat template: it would be another text for every party
 * - `{"question" or "prompt","choices","answer"}`: answer is an index from 0, or the right choice's text; for evaluation
 *
 * Errors say where and of what kind, never what stands there: a file may be private.
 *
 * @param name - the file as errors name it
 * @throws InvalidInputError `DATASET_INVALID` naming the line; `JSONL_…`
 */
export function parseDataset(
  bytes: Uint8Array,
  name: string,
  limits: { maxLineBytes?: number; maxLines?: number } = {},
): RawRecord[] {
  if (bytes.length > MAX_DATASET_BYTES)
    throw new InvalidInputError(
      "DATASET_INVALID",
      `${name}: expected at most ${MAX_DATASET_BYTES} bytes, got ${bytes.length}`,
    );
  if (!name.endsWith(".jsonl")) return [{ kind: "text", line: 1, text: decodePlainText(bytes, name) }];
  const parse = recordParser(name);
  return Array.from(readJsonLines(bytes, name, limits), parse);
}

/**
 * Reads the lines of one JSON Lines file as records, all of one schema, as {@link parseDataset} does.
 *
 * @param name - the file as errors name it
 * @returns a function of each line in turn; it throws InvalidInputError `DATASET_INVALID` naming the line
 */
export function recordParser(name: string): (line: JsonLine) => RawRecord {
  let first: { schema: Schema; line: number } | null = null;
  return ({ line, value }) => {
    const refuse: Refuse = (reason) => new InvalidInputError("DATASET_INVALID", `${name}, line ${line}: ${reason}`);
    const fields = checkObject(value, refuse);
    const schema = findSchema(fields, refuse);
    first ??= { schema, line };
    if (schema !== first.schema)
      throw refuse(
        `expected ${first.schema.name} as in line ${first.line}, got ${schema.name}; one file holds one schema`,
      );
    return schema.parse(fields, line, refuse);
  };
}

function decodePlainText(bytes: Uint8Array, name: string): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    let line = 1;
    for (let begin = 0; begin < bytes.length; line++) {
      const newline = bytes.indexOf(0x0a, begin);
      const end = newline < 0 ? bytes.length : newline;
      try {
        decoder.decode(bytes.subarray(begin, end));
      } catch {
        break;
      }
      begin = end + 1;
    }
    throw new InvalidInputError("DATASET_INVALID", `${name}, line ${line}: expected UTF-8 text, got other bytes`);
  }
}

function findSchema(fields: Fields, refuse: Refuse): Schema {
  const keys = Object.keys(fields).filter((key) => !IGNORED.includes(key));
  const unknown = keys.filter((key) => !KNOWN.includes(key));
  if (unknown.length > 0)
    throw refuse(
      `${describeUnknownKeys(unknown, KNOWN)}; expected one of ${SCHEMAS.map(({ name }) => name).join(", ")}; ${IGNORED.join(", ")} are ignored; rows of other forms need a template`,
    );
  const schema = SCHEMAS.find(
    ({ required, optional }) =>
      required.every((key) => keys.includes(key)) &&
      keys.every((key) => required.includes(key) || optional.includes(key)),
  );
  if (schema === undefined)
    throw refuse(
      `expected one of ${SCHEMAS.map(({ name }) => name).join(", ")}, got ${keys.length === 0 ? "none of their keys" : `the keys ${keys.join(", ")}`}`,
    );
  return schema;
}

function parseText(fields: Fields, line: number, refuse: Refuse): RawRecord {
  return { kind: "text", line, text: checkText(fields, "text", refuse) };
}

function parseCompletion(fields: Fields, line: number, refuse: Refuse): RawRecord {
  const prompt = checkText(fields, "prompt", refuse);
  return { kind: "completion", line, prompt, completion: checkNonEmpty(fields, "completion", refuse) };
}

function parseInstruction(fields: Fields, line: number, refuse: Refuse): RawRecord {
  const instruction = checkText(fields, "instruction", refuse);
  const input = Object.hasOwn(fields, "input") ? checkText(fields, "input", refuse) : "";
  const prompt = input === "" ? `${instruction}\n` : `${instruction}\n${input}\n`;
  return { kind: "completion", line, prompt, completion: checkNonEmpty(fields, "output", refuse) };
}

function parseMessages({ messages }: Fields, line: number, refuse: Refuse): RawRecord {
  const checked = checkMessages(messages, refuse);
  const prompt = checked
    .slice(0, -1)
    .map(({ role, content }) => `${role}: ${content}\n`)
    .join("");
  return { kind: "completion", line, prompt, completion: checked[checked.length - 1].content };
}

/** @returns the messages of a conversation, the last of which is the assistant's and not empty */
export function checkMessages(messages: unknown, refuse: Refuse): { role: string; content: string }[] {
  if (!Array.isArray(messages) || messages.length === 0)
    throw refuse(`messages: expected a list of messages, got ${describeValue(messages)}`);
  const checked = messages.map((message: unknown, index) => {
    const refuseMessage: Refuse = (reason) => refuse(`messages[${index}]: ${reason}`);
    const fields = checkObject(message, refuseMessage);
    const unknown = Object.keys(fields).filter((key) => !MESSAGE_KEYS.includes(key));
    if (unknown.length > 0) throw refuseMessage(describeUnknownKeys(unknown, MESSAGE_KEYS));
    const role = checkText(fields, "role", refuseMessage);
    if (!ROLES.includes(role))
      throw refuseMessage(`role: expected one of ${ROLES.join(", ")}, got ${describeValue(role)}`);
    return { role, content: checkText(fields, "content", refuseMessage) };
  });
  const last = checked[checked.length - 1];
  if (last.role !== "assistant" || last.content === "")
    throw refuse(
      `messages[${checked.length - 1}]: expected the last message to be the assistant's and not empty, got ${last.role === "assistant" ? describeValue(last.content) : `the ${last.role}'s`}`,
    );
  return checked;
}

function parseChoice(promptKey: string, fields: Fields, line: number, refuse: Refuse): RawRecord {
  const prompt = checkText(fields, promptKey, refuse);
  const { choices, answer } = fields;
  if (!Array.isArray(choices) || choices.length < 2)
    throw refuse(`choices: expected at least two, got ${describeValue(choices)}`);
  const texts = choices.map((choice, index) => {
    if (typeof choice !== "string" || choice.trim() === "" || !choice.isWellFormed())
      throw refuse(`choices[${index}]: expected text that is not empty, got ${describeValue(choice)}`);
    if (choices.indexOf(choice) !== index)
      throw refuse(`choices[${index}]: expected another text than choices[${choices.indexOf(choice)}]`);
    return choice;
  });
  const index = typeof answer === "string" ? texts.indexOf(answer) : answer;
  if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= texts.length)
    throw refuse(
      `answer: expected an index from 0 to ${texts.length - 1} or one of the choices' texts, got ${describeValue(answer)}`,
    );
  return { kind: "choice", line, prompt, choices: texts, answer: index as number };
}

function checkObject(value: unknown, refuse: Refuse): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw refuse(`expected an object, got ${describeValue(value)}`);
  return value as Fields;
}

function checkText(fields: Fields, key: string, refuse: Refuse): string {
  const text = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (typeof text !== "string") throw refuse(`${key}: expected text, got ${describeValue(text)}`);
  if (!text.isWellFormed()) throw refuse(`${key}: expected well-formed Unicode, got half of a surrogate pair`);
  return text;
}

function checkNonEmpty(fields: Fields, key: string, refuse: Refuse): string {
  const text = checkText(fields, key, refuse);
  if (text === "") throw refuse(`${key}: expected text that is not empty`);
  return text;
}
