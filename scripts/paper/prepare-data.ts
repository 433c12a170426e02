import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createRandom } from "../../shared/src/core/numeric/random.ts";

type Row = Record<string, unknown>;

interface Task {
  /** most bytes of a row's texts together: the experiment's sampleBytes less what a template writes; more where one choice is written */
  bytes: number;
  /** the field whose end is left out of a row that is longer; a row of other tasks is left out itself */
  cut?: string;
  /** rows that are taken; all unless given */
  takes?: (row: Row) => boolean;
  /** rows that are scored are drawn from the one file that there is */
  heldOut?: number;
}

const words = (value: unknown) => String(Array.isArray(value) ? value[0] : value).split(/\s+/).length;

/** The tasks of examples/paper. */
const TASKS: Readonly<Record<string, Task>> = {
  rte: { bytes: 1900, cut: "premise" },
  wic: { bytes: 1000 },
  boolq: { bytes: 1900, cut: "passage" },
  commonsenseqa: { bytes: 1000 },
  "arc-easy": { bytes: 2000 },
  "arc-challenge": { bytes: 2000 },
  sni: { bytes: 1700, cut: "input", takes: ({ output }) => words(output) >= 11, heldOut: 300 },
  dialogsum: { bytes: 1900, cut: "dialogue" },
  "math-instruct": { bytes: 1700, takes: ({ output }) => String(output).includes("The answer is"), heldOut: 500 },
  "cot-collection": { bytes: 1900, cut: "source", heldOut: 500 },
  finqa: { bytes: 2800 },
  mmedbench: { bytes: 1900, cut: "question" },
  "glue-sst2": { bytes: 900 },
  "glue-cola": { bytes: 900 },
  "glue-mrpc": { bytes: 900 },
  "glue-qqp": { bytes: 900 },
  "glue-qnli": { bytes: 900, cut: "sentence" },
  "glue-mnli": { bytes: 900, cut: "premise" },
  "glue-rte": { bytes: 900, cut: "sentence1" },
};
const PARTS = ["public", "client-1", "client-2", "client-3", "client-4"];

function taskOf(name: string): Task & { heldOut: number } {
  if (!Object.hasOwn(TASKS, name)) throw new Error(`expected one of ${Object.keys(TASKS).join(", ")}, got ${name}`);
  return { heldOut: 0, ...TASKS[name] };
}

/**
 * Splits a data set as the paper does: rows are shuffled, and five equal parts become one public and four private sets. What is
 * scored is a split of its own, or drawn first from the one there is.
 *
 * @param rows - most rows that are split; all unless given
 * @returns file → rows
 */
export function splitRows(name: string, train: readonly Row[], test: readonly Row[], seed: number, rows = Infinity) {
  const task = taskOf(name);
  const { heldOut, takes = () => true } = task;
  const usable = (given: readonly Row[]) => given.filter(takes).flatMap((row) => shorten(row, task));
  const shuffled = createRandom(seed).shuffle(usable(train));
  const scored = heldOut > 0 ? shuffled.slice(0, heldOut) : usable(test);
  const divided = shuffled.slice(heldOut).slice(0, rows);
  const size = Math.floor(divided.length / PARTS.length);
  const parts = PARTS.map((part, index) => [part, divided.slice(index * size, (index + 1) * size)] as const);
  return new Map<string, Row[]>([...parts, ["test", scored]]);
}

/** @returns the row, its long field cut at white space where that is needed; none where it stays too long */
function shorten(row: Row, { bytes, cut }: Task): Row[] {
  const over = bytesOf(row) - bytes;
  if (over <= 0) return [row];
  const text = cut === undefined ? undefined : row[cut];
  if (typeof text !== "string" || Buffer.byteLength(text) <= over) return [];
  const kept = Buffer.from(text)
    .subarray(0, Buffer.byteLength(text) - over)
    .toString();
  return [{ ...row, [cut!]: kept.replace(/\s+\S*$/, "") }];
}

function bytesOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce((sum: number, inner) => sum + bytesOf(inner), 0);
}

/** JSON Lines, or one JSON list. FinQA's own file has much beside what is asked. */
function readRows(path: string): Row[] {
  const text = readFileSync(path, "utf8");
  const rows = text.trimStart().startsWith("[")
    ? (JSON.parse(text) as Row[])
    : text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [JSON.parse(line) as Row]));
  return rows.map((row) => {
    const { qa, pre_text, post_text, table } = row as { qa?: Row } & Row;
    return qa === undefined
      ? row
      : { pre_text, post_text, table, question: qa.question, answer: `${qa.answer || qa.exe_ans}` };
  });
}

/**
 * The command: `<task> <train> [<test>] [--seed n] [--rows n] [--out folder]`.
 * @returns what it did, a line for each file, and how many rows were left out
 * @throws Error where an argument is missing or wrong
 */
export function prepareData(argv: readonly string[]): string[] {
  const { positionals, values } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { seed: { type: "string", default: "123" }, rows: { type: "string" }, out: { type: "string" } },
  });
  const [name, train, test] = positionals;
  if (name === undefined || train === undefined || positionals.length > 3)
    throw new Error("expected a task, the file of training rows and, where there is one, of rows to be scored");
  const task = taskOf(name);
  if ((test === undefined) !== task.heldOut > 0)
    throw new Error(
      task.heldOut > 0
        ? `${name}: expected one file, of which ${task.heldOut} rows are scored, got two`
        : `${name}: expected a second file, of rows to be scored`,
    );
  const out = values.out ?? fileURLToPath(new URL("../../examples/paper/data", import.meta.url));
  const given = [train, ...(test === undefined ? [] : [test])].map(readRows);
  const rows = values.rows === undefined ? Infinity : readWhole("rows", values.rows);
  const split = splitRows(name, given[0], given[1] ?? [], readWhole("seed", values.seed), rows);
  mkdirSync(join(out, name), { recursive: true });
  const lines: string[] = [];
  for (const [part, own] of split) {
    if (own.length === 0) throw new Error(`${name}: expected rows for ${part}, there are none`);
    writeFileSync(join(out, name, `${part}.jsonl`), own.map((row) => `${JSON.stringify(row)}\n`).join(""));
    lines.push(`${name}/${part}.jsonl: ${own.length} rows`);
  }
  const left = given.flat().length - [...split.values()].flat().length;
  if (left > 0)
    lines.push(`${left} rows left out: too long, not taken for this task, or more than five equal parts hold`);
  return lines;
}

function readWhole(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${option}: expected a whole number, got ${text}`);
  return Number(text);
}

if (import.meta.main)
  try {
    process.stdout.write(`${prepareData(process.argv.slice(2)).join("\n")}\n`);
  } catch (error) {
    process.stderr.write(`prepare-data: ${(error as Error).message}\n`);
    process.exitCode = 2;
  }
