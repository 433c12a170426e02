import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { programUrl } from "@fedmkt/shared/core/program-url.ts";
import type { OnLocalEvent } from "./local-event.ts";
import { followOutput } from "./output-lines.ts";

const DIE_WITH_PARENT = programUrl("die-with-parent", "./die-with-parent.ts", import.meta.url);

/** Where a processor has protection keys, V8 now and then loses count of code pages as threads come and go, and aborts. */
const NODE_FLAGS = ["--no-memory-protection-keys"];

/** A worker that is asked to end may still write down where it is; after this time it is made to. */
export const GRACE_MS = 5_000;

/** A worker's program in a process of its own. */
export interface WorkerProcess {
  pid: number | undefined;
  /** how it ended, once everything that it wrote lies in its log */
  ended: Promise<ProcessEnd>;
  /** Asks it to end, and makes it where it does not. */
  end(): void;
}

export interface ProcessEnd {
  code: number;
  /** `exit code 7`, `signal SIGKILL` */
  text: string;
}

/** Starts a worker that goes when this process goes, its output in a log of its own and told line by line. */
export function startWorkerProcess(options: {
  program: string;
  environment: Record<string, string>;
  /** whose output it is */
  source: string;
  logsFolder: string;
  onEvent: OnLocalEvent;
}): WorkerProcess {
  const log = logFile(options.logsFolder, options.source); // first: a full disk must not leave a process without an owner
  const child = spawn(process.execPath, [...NODE_FLAGS, "--import", DIE_WITH_PARENT.href, options.program], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: options.environment,
  });
  async function follow(): Promise<ProcessEnd> {
    const exited = new Promise<number>((resolve) => {
      child.once("error", () => resolve(-1));
      child.once("exit", (code, killedBy) => resolve(code ?? (killedBy ? -1 : 0)));
    });
    // without memory or file descriptors for a process there are no streams either
    const streams = { out: child.stdout as Readable | null, err: child.stderr as Readable | null };
    const output =
      streams.out && streams.err
        ? followOutput(options.source, log, { out: streams.out, err: streams.err }, options.onEvent)
        : null;
    const code = await exited;
    await output?.close();
    return { code, text: child.signalCode ? `signal ${child.signalCode}` : `exit code ${code}` };
  }
  return {
    pid: child.pid,
    ended: follow(),
    end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
      child.once("exit", () => clearTimeout(timer));
    },
  };
}

/** The first free `<source>-<n>.log`; creating it takes it. */
function logFile(folder: string, source: string): string {
  const base = source.replace(/[^A-Za-z0-9-]+/g, "-");
  for (let n = 1; ; n++) {
    const file = path.join(folder, `${base}-${n}.log`);
    try {
      closeSync(openSync(file, "wx"));
      return file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}
