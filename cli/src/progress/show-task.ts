import { formatBytes } from "@fedmkt/shared/report/table.ts";
import type { Io } from "../io.ts";

/** A person sees no more changes a second; a terminal over a slow line, or a program that reads along, takes no more. */
const REPAINT_MS = 100;
/** Between two lines where no terminal is: a log of a night's training stays readable. */
const LINE_MS = 10_000;
/** Of a terminal that does not know its width, or says 0. */
const DEFAULT_COLUMNS = 80;
const BAR_CELLS = 16;
/** A shorter one shows nothing. */
const LEAST_BAR_CELLS = 4;

/** How far one piece of work has come. */
export interface TaskProgress {
  /** what is done, such as "training" */
  phase: string;
  done: number;
  of: number;
  /** what is counted, such as "steps" */
  unit: string;
  lossNats?: number;
  learningRate?: number;
  tokensPerSecond?: number;
}

export interface TaskDisplay {
  take(progress: TaskProgress): void;
  /** a line that stays */
  say(line: string): void;
  /** clears the live line */
  end(): void;
}

export interface TaskDisplayOptions {
  io: Pick<Io, "stderr">;
  /** one JSON object a line instead, for programs */
  json: boolean;
  clockMs: () => number;
  /** this process's memory */
  residentBytes?: () => number;
}

/**
 * One piece of work's progress on standard error: a live line with a bar on a terminal, else a line now and then, or events for
 * programs. With it memory, and the time left at the pace since the phase began here.
 */
export function showTask({
  io: { stderr },
  json,
  clockMs,
  residentBytes = () => process.memoryUsage.rss(),
}: TaskDisplayOptions): TaskDisplay {
  const live = stderr.isTTY === true && !json;
  const everyMs = live || json ? REPAINT_MS : LINE_MS;
  let began: { phase: string; done: number; atMs: number } | null = null;
  let shownAtMs: number | null = null;
  let painted = false;
  const clear = () => {
    // to the line's beginning, then clear it
    if (painted) stderr.write("\r\u001b[2K");
    painted = false;
  };
  return {
    take(progress) {
      const now = clockMs();
      if (began?.phase !== progress.phase) began = { phase: progress.phase, done: progress.done, atMs: now };
      if (shownAtMs === null) shownAtMs = live || json ? Number.NEGATIVE_INFINITY : now;
      const done = progress.done >= progress.of;
      // a log is spared what is over before a person would ask
      const isDue = now - shownAtMs >= everyMs || (done && (live || json || now - began.atMs >= everyMs));
      if (!isDue) return;
      shownAtMs = now;
      const pace = (now - began.atMs) / (progress.done - began.done);
      const secondsLeft = Number.isFinite(pace) ? Math.round(((progress.of - progress.done) * pace) / 1000) : null;
      const memoryBytes = residentBytes();
      if (json) {
        stderr.write(`${JSON.stringify({ event: "progress", ...progress, memoryBytes, secondsLeft })}\n`);
        return;
      }
      clear();
      const columns = (stderr.columns || DEFAULT_COLUMNS) - 1;
      stderr.write(
        live
          ? describe(progress, memoryBytes, secondsLeft, columns).slice(0, columns)
          : `${describe(progress, memoryBytes, secondsLeft, null)}\n`,
      );
      painted = live;
    },
    say(line) {
      clear();
      stderr.write(json ? `${JSON.stringify({ event: "message", message: line })}\n` : `${line}\n`);
    },
    end: clear,
  };
}

/** @param columns - of a terminal, whose room is for figures first and then for the bar; null: a line of a log */
function describe(
  { phase, done, of, unit, lossNats, tokensPerSecond }: TaskProgress,
  memoryBytes: number,
  secondsLeft: number | null,
  columns: number | null,
): string {
  const figures = [
    `${done}/${of}${columns === null ? ` ${unit}` : ""}`,
    ...(lossNats === undefined ? [] : [`loss ${lossNats.toFixed(3)}`]),
    ...(tokensPerSecond === undefined ? [] : [`${Math.round(tokensPerSecond)} tokens/s`]),
    formatBytes(memoryBytes),
    ...(secondsLeft === null || done >= of ? [] : [`${formatTime(secondsLeft)} left`]),
  ].join("  ");
  const cells = Math.min(BAR_CELLS, (columns ?? 0) - phase.length - figures.length - 2);
  return [phase, ...(cells >= LEAST_BAR_CELLS ? [drawBar(of === 0 ? 1 : done / of, cells)] : []), figures].join(" ");
}

function drawBar(share: number, cells: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * cells);
  return "█".repeat(full) + "░".repeat(cells - full);
}

/** `0:07`, `12:34`, `3:00:00`. */
function formatTime(seconds: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
