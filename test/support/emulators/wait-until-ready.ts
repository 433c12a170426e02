import type { GuardedProcess } from "./guarded-process.ts";

const TIMEOUT_MS = 90_000;
const INTERVAL_MS = 200;

/** Waits until something holds. @throws Error with the program's output where it ended before, or where it took too long */
export async function waitUntilReady(what: string, program: GuardedProcess, isReady: () => Promise<boolean>) {
  const end = Date.now() + TIMEOUT_MS;
  while (!(await isReady().catch(() => false))) {
    if (!program.isRunning()) throw new Error(`${what} ended before it was ready:\n${program.output().slice(-4000)}`);
    if (Date.now() > end) throw new Error(`${what} was not ready in time:\n${program.output().slice(-4000)}`);
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}
