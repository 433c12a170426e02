import type { ProgressEvent } from "@fedmkt/shared/contracts/progress.ts";
import type { LocalEvent } from "../local/local-event.ts";

/** A line with all of its figures fits 80 columns. */
const BAR_CELLS = 10;

/** The jobs of a run as their progress tells them, and what to say of each. Free of terminals and clocks. */
export class JobBoard {
  readonly #jobs = new Map<string, ProgressEvent>();
  readonly #rounds: number;

  constructor(rounds: number) {
    this.#rounds = rounds;
  }

  /** @returns the line that this event is worth to a log: starts, ends, failures and warnings; else null */
  take(event: LocalEvent): string | null {
    if (event.kind === "state-failed")
      return `failed: ${event.name} (${event.machine}): ${event.error}: ${event.cause}`;
    if (event.kind === "log") return ["warn", "error"].includes(event.level) ? `${event.source}: ${event.line}` : null;
    if (event.kind !== "progress") return null;
    const { progress } = event;
    // without the round: a baseline trains for several within one job
    const key = `${progress.stage} ${progress.party}`;
    const known = this.#jobs.get(key);
    if (progress.phase === "done") {
      this.#jobs.delete(key);
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
      const bar = step === undefined || !steps ? "" : ` ${drawBar(step / steps)} ${step}/${steps}`;
      const loses = loss === undefined ? "" : `  loss ${loss.toFixed(3)}`;
      const speed = tokensPerSecond === undefined ? "" : `  ${Math.round(tokensPerSecond)} tokens/s`;
      return `${job.round || "–"}/${this.#rounds} ${job.party} ${job.stage} ${phase}${bar}${loses}${speed}`;
    });
  }

  #name({ round, stage, party }: ProgressEvent): string {
    return round === 0 ? `${party}, ${stage}` : `round ${round}/${this.#rounds}, ${party}, ${stage}`;
  }
}

function drawBar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  return "█".repeat(full) + "░".repeat(BAR_CELLS - full);
}
