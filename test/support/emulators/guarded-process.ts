import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const GUARD = fileURLToPath(new URL("./guard.mjs", import.meta.url));

/** A program that cannot outlive the tests: its guard ends it, and all that it started, when this process is gone. */
export interface GuardedProcess {
  /** the exit code, once it has ended */
  ended: Promise<number>;
  isRunning(): boolean;
  /** what it has written so far, both streams */
  output(): string;
  /** asks it to end, and makes it after five seconds; resolves when it has ended */
  stop(): Promise<void>;
}

/**
 * @param environment - all of it: nothing of this process's environment is inherited
 * @param log - the file that takes what it writes
 */
export function startGuarded(
  program: string,
  programArguments: readonly string[],
  options: { environment: Record<string, string>; log: string; folder?: string },
): GuardedProcess {
  const log = openSync(options.log, "a");
  const guard: ChildProcess = spawn(process.execPath, [GUARD, program, ...programArguments], {
    env: options.environment,
    cwd: options.folder,
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  let running = true;
  const ended = new Promise<number>((resolve) => {
    const end = (code: number) => {
      running = false;
      resolve(code);
    };
    guard.once("error", () => end(127));
    guard.once("exit", (code) => end(code ?? 137));
  });
  return {
    ended,
    isRunning: () => running,
    output: () => readFileSync(options.log, "utf8"),
    async stop() {
      if (running) guard.kill("SIGTERM");
      await ended;
    },
  };
}
