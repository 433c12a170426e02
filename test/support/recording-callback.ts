import type { TaskCallback } from "../../shared/src/ports/task-callback.ts";

export type Answer = { token: string; output: unknown } | { token: string; error: { name: string; cause: string } };

/** Task tokens that are only written down. */
export class RecordingCallback implements TaskCallback {
  readonly answers: Answer[] = [];
  readonly beats: string[] = [];
  /** tokens that nobody waits for */
  readonly gone = new Set<string>();

  async succeed(token: string, output: unknown): Promise<void> {
    this.answers.push({ token, output });
  }

  async fail(token: string, error: { name: string; cause: string }): Promise<void> {
    this.answers.push({ token, error });
  }

  async heartbeat(token: string): Promise<"waiting" | "gone"> {
    this.beats.push(token);
    return this.gone.has(token) ? "gone" : "waiting";
  }
}
