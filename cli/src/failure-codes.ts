import { codeOfJobFailure } from "@fedmkt/shared/contracts/job-failure.ts";
import type { LocalEvent } from "./local/local-event.ts";

/**
 * The codes of a run's errors. A worker's job answers with its code. Of a function Step Functions carries the error's name and message
 * alone; its log record holds the code too, under the same message.
 */
export class FailureCodes {
  readonly #codes = new Map<string, string>();

  take(event: LocalEvent): void {
    if (event.kind === "log" && event.failure !== undefined) this.#codes.set(event.failure.message, event.failure.code);
  }

  /** @returns null where nobody told a code with this message */
  codeOf(message: string): string | null {
    return codeOfJobFailure(message) ?? this.#codes.get(message) ?? null;
  }
}
