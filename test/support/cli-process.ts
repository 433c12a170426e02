import { execFile, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const LAUNCHER = fileURLToPath(new URL("../../cli/bin/fedmkt.mjs", import.meta.url));

export interface CliResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs the `fedmkt` command as a user would, in a process of its own. */
export function fedmkt(...args: string[]): Promise<CliResult> {
  return new Promise((done) => {
    execFile(
      process.execPath,
      [LAUNCHER, ...args],
      { maxBuffer: 1 << 26, env: { ...process.env, NODE_OPTIONS: "" } },
      (error, stdout, stderr) => done({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** Starts the command and kills it, without warning, as soon as it has written a text. @returns the signal that ended it */
export function killedAfter(text: string, ...args: string[]): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let written = "";
  const look = (chunk: Buffer) => {
    written += chunk;
    if (written.includes(text)) child.kill("SIGKILL");
  };
  child.stdout.on("data", look);
  child.stderr.on("data", look);
  return new Promise((done) => child.on("close", (_, signal) => done(signal)));
}

const LOOK_AGAIN_MS = 50;

/** Starts the command and kills it, without warning, as soon as a condition holds. @returns the signal that ended it */
export function killedWhen(holds: () => boolean, ...args: string[]): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: "ignore" });
  const timer = setInterval(() => {
    if (holds()) child.kill("SIGKILL");
  }, LOOK_AGAIN_MS);
  return new Promise((done) =>
    child.on("close", (_, signal) => {
      clearInterval(timer);
      done(signal);
    }),
  );
}
