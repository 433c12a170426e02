import type { ProgressEvent } from "@fedmkt/shared/contracts/progress.ts";
import { variantNameOf } from "@fedmkt/shared/contracts/variants.ts";
import type { LocalEvent } from "../local/local-event.ts";

/** A line with all of its figures fits 80 columns. */
const BAR_CELLS = 10;

/** The jobs of a run as their progress tells them, and what to say of each. Free of terminals and clocks. */
export class JobBoard {
  readonly #jobs = new Map<string, ProgressEvent>();
  /** `/2`, where it is known of how many */
  readonly #of: string;

  /** @param rounds - of the run; null where several runs' jobs come, as to a worker */
  constructor(rounds: number | null) {
    this.#of = rounds === null ? "" : `/${rounds}`;
  }

  /**
   * @returns the line that this event is worth to a person: starts, ends, and warnings that no log file has; else null. A
   *   failure is told once, at the end, with its first cause: jobs beside it that were stopped say nothing of value.
   */
  take(event: LocalEvent): string | null {
    if (event.kind === "log")
      return ["warn", "error"].includes(event.level) && !event.logged ? `${event.source}: ${event.line}` : null;
    if (event.kind !== "progress") return null;
    const { progress } = event;
    // without the round: a baseline trains for several within one job
    const key = `${progress.run} ${nameStage(progress)} ${progress.party}`;
    const known = this.#jobs.get(key);
    if (progress.phase === "done") {
      this.#jobs.delete(key);
      if (progress.reused) return `${this.#name(progress)}: done already`;
      return `${this.#name(progress)}: done${known?.loss === undefined ? "" : `, loss ${known.loss.toFixed(3)}`}`;
    }
    // loss and speed stay on show while the job goes on to extract or score
    this.#jobs.set(key, { ...progress, loss: progress.loss ?? known?.loss });
    return progress.phase === "started" ? `${this.#name(progress)}: started` : null;
  }

  /** One line a running job, in the order of their starts. */
  lines(): string[] {
    return [...this.#jobs.values()].map((job) => {
      const { step, steps, loss, tokensPerSecond, phase } = job;
      const round = job.round === 0 ? "–" : job.round;
      const bar = step === undefined || !steps ? "" : ` ${drawBar(step / steps)} ${step}/${steps}`;
      const loses = loss === undefined ? "" : `  loss ${loss.toFixed(3)}`;
      const speed = tokensPerSecond === undefined ? "" : `  ${Math.round(tokensPerSecond)} tokens/s`;
      const variant = variantNameOf(job.run);
      return `${variant === null ? "" : `${variant} `}${round}${this.#of} ${job.party} ${nameStage(job)} ${phase}${bar}${loses}${speed}`;
    });
  }

  #name(progress: ProgressEvent): string {
    const { round, party, baseline } = progress;
    const variant = variantNameOf(progress.run);
    const ofVariant = variant === null ? "" : `${variant}, `;
    const inRound = baseline === undefined ? `round ${round}${this.#of}, ` : "";
    return `${ofVariant}${inRound}${party}, ${nameStage(progress)}`;
  }
}

function nameStage({ stage, baseline }: ProgressEvent): string {
  return baseline === undefined ? stage : `baseline ${baseline}`;
}

function drawBar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  return "█".repeat(full) + "░".repeat(BAR_CELLS - full);
}
