import { statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const BEAT_MS = 10_000;
/** Beats that may be late before the process counts as stuck: reading a large model keeps the event loop for seconds. */
const LATE_MS = 6 * BEAT_MS;

const file = () => path.join(tmpdir(), "fedmkt-worker-alive");

/** Touches a file for as long as this process's event loop turns. Heartbeats and the queue hang on the same loop. */
export function showAlive(): void {
  writeFileSync(file(), "");
  setInterval(() => {
    const now = new Date();
    utimesSync(file(), now, now);
  }, BEAT_MS).unref();
}

/** @returns null where the worker of this machine is alive, else why it is not */
export function whyNotAlive(nowMs = Date.now()): string | null {
  const touched = statSync(file(), { throwIfNoEntry: false });
  if (!touched) return "no worker has begun";
  const ageMs = nowMs - touched.mtimeMs;
  return ageMs > LATE_MS ? `the worker last showed itself ${Math.round(ageMs / 1000)} s ago` : null;
}
