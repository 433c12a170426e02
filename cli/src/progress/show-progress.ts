import type { Io } from "../io.ts";
import type { LocalEvent } from "../local/local-event.ts";
import { JobBoard } from "./job-board.ts";

/** A person sees no more changes a second; a terminal over a slow line takes no more. */
const REPAINT_MS = 100;
const DEFAULT_COLUMNS = 80;

export interface ProgressDisplay {
  take(event: LocalEvent): void;
  /** clears the live lines */
  end(): void;
}

/** On a terminal a block of live lines, repainted, below the log of what ended; else plain lines only. Goes to standard error. */
export function showProgress(io: Pick<Io, "stderr">, rounds: number | null, clockMs: () => number): ProgressDisplay {
  const board = new JobBoard(rounds);
  const { stderr } = io;
  let painted = 0;
  let paintedAt = Number.NEGATIVE_INFINITY;
  const clear = () => {
    // up over the painted lines, then clear from there to the end of the screen
    if (painted > 0) stderr.write(`\u001b[${painted}A\u001b[0J`);
    painted = 0;
  };
  return {
    take: (event) => {
      const line = board.take(event);
      if (!stderr.isTTY) {
        if (line !== null) stderr.write(`${line}\n`);
        return;
      }
      if (line === null && clockMs() - paintedAt < REPAINT_MS) return;
      clear();
      // a start is seen in the block below
      if (line !== null && !line.endsWith(": started")) stderr.write(`${line}\n`);
      const width = (stderr.columns ?? DEFAULT_COLUMNS) - 1;
      const lines = board.lines().map((text) => text.slice(0, width));
      stderr.write(lines.map((text) => `${text}\n`).join(""));
      painted = lines.length;
      paintedAt = clockMs();
    },
    end: clear,
  };
}
