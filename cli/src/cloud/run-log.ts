import { STAGES } from "@fedmkt/shared/contracts/stages.ts";
import { mainRunOf } from "@fedmkt/shared/contracts/variants.ts";
import type { LocalEvent } from "../local/local-event.ts";
import { eventOf } from "../local/output-lines.ts";
import type { Cloud, CloudLogLine } from "./cloud.ts";

/** CloudWatch hands lines over some seconds after they were written, not always in order: what is younger is asked for again. */
const OVERLAP_MS = 30_000;

/** One line of a run's functions and workers. */
export interface RunLogLine {
  atMs: number;
  /** `workers`, or a function's name */
  source: string;
  /** as it was written */
  text: string;
  /** whom it is about, where it says so */
  parties: string[];
  event: LocalEvent;
}

/** The log groups in which a run leaves lines, by source. */
export function logGroups({ names }: Pick<Cloud, "names">): Record<string, string> {
  const functions = Object.entries(STAGES).filter(([, { host }]) => host === "lambda");
  return {
    workers: names.workerLogGroup,
    ...Object.fromEntries(functions.map(([name]) => [name, names.functionLogGroup(name)])),
  };
}

/** The lines of one run, in order of time, each once however often it is asked. */
export class RunLog {
  readonly #cloud: Cloud;
  readonly #run: string;
  readonly #groups: Record<string, string>;
  #sinceMs: number;
  /** lines told already that may come again, with their times */
  readonly #told = new Map<string, number>();

  /** @param sources - keys of {@link logGroups}; all unless given */
  constructor(cloud: Cloud, run: string, sinceMs: number, sources?: readonly string[]) {
    this.#cloud = cloud;
    this.#run = run;
    this.#sinceMs = sinceMs;
    const all = logGroups(cloud);
    this.#groups = sources ? Object.fromEntries(sources.map((source) => [source, all[source]])) : all;
  }

  /** @returns what has come since the last call */
  async next(): Promise<RunLogLine[]> {
    const found = await Promise.all(
      Object.entries(this.#groups).map(async ([source, group]) => {
        const lines = await this.#cloud.logs.read(group, this.#run, this.#sinceMs);
        return lines.filter((line) => this.#isNew(source, line)).flatMap((line) => readLine(source, line, this.#run));
      }),
    );
    const newest = Math.max(this.#sinceMs, ...this.#told.values());
    this.#sinceMs = Math.max(this.#sinceMs, newest - OVERLAP_MS);
    for (const [key, atMs] of this.#told) if (atMs < this.#sinceMs) this.#told.delete(key);
    return found.flat().sort((left, right) => left.atMs - right.atMs);
  }

  #isNew(source: string, { atMs, stream, text }: CloudLogLine): boolean {
    const key = JSON.stringify([source, stream, atMs, text]);
    if (this.#told.has(key)) return false;
    this.#told.set(key, atMs);
    return true;
  }
}

/** A metric in CloudWatch's embedded form: for its graphs, and no word for a person. */
export function isMetric({ text }: RunLogLine): boolean {
  return parseRecord(text)?._aws !== undefined;
}

/** CloudWatch finds the run's name anywhere in a line; a structured line says which run it is of. */
function readLine(source: string, { atMs, text }: CloudLogLine, run: string): RunLogLine[] {
  const record = parseRecord(text);
  const progress = record?.progress as Record<string, unknown> | undefined;
  const about = record?.run ?? progress?.run;
  if (about !== undefined && (typeof about !== "string" || mainRunOf(about) !== run)) return [];
  const parties = [record, progress].flatMap((one) => [one?.party, one?.source, one?.target]);
  return [
    {
      atMs,
      source,
      text,
      parties: [...new Set(parties.filter((party) => typeof party === "string"))],
      event: eventOf(source, text, "info"),
    },
  ];
}

function parseRecord(text: string): Record<string, unknown> | null {
  if (!text.startsWith("{")) return null;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

const HIDDEN = new Set([
  ...["level", "message", "timestamp", "service", "run", "progress", "error", "code", "sampling_rate", "xray_trace_id"],
  ...["cold_start", "function_arn", "function_memory_size", "function_name", "function_request_id"],
]);

/** A line for a person: when, who, what; a structured line's other members follow as name=value. */
export function describeLogLine({ atMs, source, text, event }: RunLogLine): string {
  const when = new Date(atMs).toISOString().slice(11, 19);
  if (event.kind === "progress") {
    const { round, stage, party, baseline, phase, step, steps, loss } = event.progress;
    const figures = [
      ...(step === undefined ? [] : [`${step}/${steps}`]),
      ...(loss === undefined ? [] : [`loss ${loss.toFixed(3)}`]),
    ];
    const what = baseline === undefined ? `round ${round} ${stage}` : `baseline ${baseline}`;
    return [when, source, party, what, phase, ...figures].join(" ");
  }
  const record = parseRecord(text);
  if (record === null) return `${when} ${source} ${text}`;
  const level = String(record.level ?? "INFO");
  const error = record.error as { message?: unknown } | undefined;
  const members = Object.entries(record)
    .filter(([name, value]) => !HIDDEN.has(name) && typeof value !== "object")
    .map(([name, value]) => `${name}=${value}`);
  const failure = error?.message === undefined ? [] : [`${record.code ?? ""}: ${error.message}`];
  return [
    when,
    source,
    ...(level === "INFO" ? [] : [level]),
    String(record.message ?? ""),
    ...members,
    ...failure,
  ].join(" ");
}
