import type { LocalEvent } from "./local/local-event.ts";

/**
 * The codes of a run's errors. Step Functions carries an error's name and message alone; the log record of whoever failed holds
 * its code too, under the same message.
 */
export class FailureCodes {
  readonly #codes = new Map<string, string>();

  take(event: LocalEvent): void {
    if (event.kind === "log" && event.failure !== undefined) this.#codes.set(event.failure.message, event.failure.code);
  }

  /** @returns null where nobody logged an error of this message */
  codeOf(message: string): string | null {
    return this.#codes.get(message) ?? null;
  }
}
