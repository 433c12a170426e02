import type { Interruption } from "@fedmkt/shared/ports/interruption.ts";

/** The interruption of one job: whoever holds it is given the time to put its work down first. */
export class JobInterruption implements Interruption {
  readonly #controller = new AbortController();
  #holds = 0;
  #release = (): void => undefined;
  /** rejects with the reason once the job is interrupted and nobody holds it */
  readonly due: Promise<never>;

  constructor() {
    this.due = new Promise<never>((_, reject) => {
      this.#release = () => {
        if (this.signal.aborted && this.#holds === 0) reject(this.signal.reason);
      };
    });
    this.due.catch(() => undefined); // a job that is over by then does not look
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  interrupt(reason: Error): void {
    this.#controller.abort(reason);
    this.#release();
  }

  hold = (): (() => void) => {
    this.#holds++;
    let held = true;
    return () => {
      if (held) this.#holds--;
      held = false;
      this.#release();
    };
  };
}
