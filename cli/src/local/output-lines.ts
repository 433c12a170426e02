import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { progressEvent } from "@fedmkt/shared/contracts/progress.ts";
import type { LocalEvent, LogLevel, OnLocalEvent } from "./local-event.ts";

/** Longer lines are cut in events (never in the log file): a terminal is no place for them. */
const MAX_EVENT_LINE = 10_000;

/** Copies a task's output into its log file and tells it line by line, progress as progress. */
export function followOutput(
  source: string,
  logFile: string,
  streams: { out: Readable; err: Readable },
  onEvent: OnLocalEvent,
): { close(): Promise<void> } {
  const log = createWriteStream(logFile, { flags: "a" });
  log.on("error", (error) => onEvent({ kind: "log", source, line: `${logFile}: ${error.message}`, level: "warn" }));
  const ends = [streams.out, streams.err].map((stream) => {
    const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on("line", (line) => {
      log.write(`${line}\n`);
      onEvent(eventOf(source, line, stream === streams.err ? "warn" : "info"));
    });
    return new Promise<void>((resolve) => lines.once("close", resolve));
  });
  return {
    async close() {
      await Promise.all(ends);
      await new Promise<void>((resolve) => log.end(() => resolve()));
    },
  };
}

const LEVELS: Record<string, LogLevel> = {
  TRACE: "debug",
  DEBUG: "debug",
  INFO: "info",
  WARN: "warn",
  ERROR: "error",
  CRITICAL: "error",
};

/** One line of output: a structured progress message, a structured log line with its level, or plain text. */
export function eventOf(source: string, line: string, level: LogLevel): LocalEvent {
  const cut = line.length > MAX_EVENT_LINE ? `${line.slice(0, MAX_EVENT_LINE)}…` : line;
  if (!line.startsWith("{")) return { kind: "log", source, line: cut, level, logged: true };
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { kind: "log", source, line: cut, level, logged: true };
  }
  const progress = parsed.message === "progress" ? progressEvent.safeParse(parsed.progress) : undefined;
  if (progress?.success) return { kind: "progress", progress: progress.data };
  return {
    kind: "log",
    source,
    line: cut,
    level: LEVELS[String(parsed.level).toUpperCase()] ?? level,
    logged: true,
    ...failureOf(parsed),
  };
}

/** `{"message":"job failed","code":"DATASET_INVALID","error":{"message":"…"}}`: how hosts log an error of ours. */
function failureOf({ code, error }: Record<string, unknown>): { failure?: { code: string; message: string } } {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof code === "string" && typeof message === "string" ? { failure: { code, message } } : {};
}
