/**
 * Starts a program in a process group of its own and ends the whole group when whoever asked for it is gone, however it went:
 * `node guard.mjs PROGRAM [ARGUMENT…]` with an IPC channel. Ends as the program ends.
 */
import { spawn } from "node:child_process";

const GRACE_MS = 5_000;

const [program, ...programArguments] = process.argv.slice(2);
const child = spawn(program, programArguments, { detached: true, stdio: ["ignore", "inherit", "inherit"] });

function signalGroup(signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // the group is gone
  }
}

function end() {
  signalGroup("SIGTERM");
  setTimeout(() => signalGroup("SIGKILL"), GRACE_MS);
}

process.once("disconnect", end);
process.once("SIGTERM", end);
process.once("SIGINT", end);
child.once("error", (error) => {
  console.error(`${program}: ${error.message}`);
  process.exit(127);
});
child.once("exit", (code, signal) => {
  // what the program left behind of its group goes with it
  signalGroup("SIGKILL");
  process.exit(code ?? (signal ? 143 : 1));
});
