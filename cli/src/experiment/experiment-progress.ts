import { count } from "../count.ts";
import type { Io } from "../io.ts";
import type { PlannedRun } from "./plan-runs.ts";
import type { EndedRun } from "./run-experiment.ts";

/** A line for each run that begins and ends, with what is left. Goes to standard error. */
export class ExperimentProgress {
  readonly #stderr: Io["stderr"];
  readonly #clockMs: () => number;
  readonly #total: number;
  readonly #beganMs: number;
  #begun = 0;
  #ended = 0;

  constructor({ stderr }: Pick<Io, "stderr">, clockMs: () => number, total: number) {
    this.#stderr = stderr;
    this.#clockMs = clockMs;
    this.#total = total;
    this.#beganMs = clockMs();
  }

  begin(run: PlannedRun): void {
    this.#begun++;
    this.#stderr.write(`${nameOf(run)}: started (${this.#begun} of ${this.#total})\n`);
  }

  end({ run, failure }: EndedRun, wallTimeMs: number): void {
    this.#ended++;
    const left = this.#total - this.#ended;
    const how = failure === null ? `done in ${describeTime(wallTimeMs)}` : `failed: ${failure.message}`;
    this.#stderr.write(
      `${nameOf(run)}: ${how}; ${count(left, "run")} left${left > 0 ? `, ${this.#timeLeft(left)}` : ""}\n`,
    );
  }

  /** At the pace so far; runs that go on now count as whole. */
  #timeLeft(left: number): string {
    return `about ${describeTime(((this.#clockMs() - this.#beganMs) / this.#ended) * left)}`;
  }
}

function nameOf({ cell, seed }: PlannedRun): string {
  return `${cell.name}, seed ${seed}`;
}

function describeTime(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 100) return `${seconds.toFixed(0)} s`;
  const minutes = seconds / 60;
  return minutes < 100 ? `${minutes.toFixed(0)} min` : `${(minutes / 60).toFixed(1)} h`;
}
