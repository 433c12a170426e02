import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ProgressEvent } from "@fedmkt/shared/contracts/progress.ts";
import { eventOf } from "./local/output-lines.ts";
import { RUN_FILES } from "./run-folder.ts";

/** A progress line has some 300 bytes; what else a job writes at its end may stand after it. */
const TAIL_BYTES = 16 * 1024;
/** No machine runs more jobs at once; older logs are of jobs that have ended. */
const MAX_LOGS = 256;

/** What the jobs of a running run last said of themselves, by the logs written since it was started; the latest started last. */
export function readRunningJobs(folder: string): ProgressEvent[] {
  const startedMs = statSync(join(folder, RUN_FILES.state)).mtimeMs;
  const logs = join(folder, RUN_FILES.logs);
  const jobs = new Map<string, ProgressEvent>();
  for (const { file } of recentLogs(logs, startedMs)) {
    const progress = lastProgress(file);
    if (progress === null) continue;
    const job = [
      progress.run,
      progress.stage,
      progress.baseline,
      progress.baseline ? "" : progress.round,
      progress.party,
    ].join(" ");
    jobs.delete(job);
    if (progress.phase !== "done") jobs.set(job, progress);
  }
  return [...jobs.values()];
}

function recentLogs(folder: string, sinceMs: number): { file: string; changedMs: number }[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // none is there before the first job
  }
  return names
    .map((name) => join(folder, name))
    .map((file) => ({ file, changedMs: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .filter(({ changedMs }) => changedMs >= sinceMs)
    .sort((a, b) => a.changedMs - b.changedMs)
    .slice(-MAX_LOGS);
}

function lastProgress(file: string): ProgressEvent | null {
  const handle = openSync(file, "r");
  try {
    const { size } = fstatSync(handle);
    const buffer = Buffer.alloc(Math.min(TAIL_BYTES, size));
    const read = readSync(handle, buffer, 0, buffer.length, size - buffer.length);
    for (const line of buffer.toString("utf8", 0, read).split("\n").reverse()) {
      const event = eventOf("", line, "info");
      if (event.kind === "progress") return event.progress;
    }
    return null;
  } finally {
    closeSync(handle);
  }
}
