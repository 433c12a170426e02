import { setImmediate } from "node:timers/promises";

/**
 * Lets in what waits, such as Ctrl-C, amid work that never waits itself. Two rounds, since the first may end before the
 * system is asked what has come.
 */
export async function giveTurn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}
