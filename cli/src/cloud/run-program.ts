import { spawn } from "node:child_process";

export interface ProgramRun {
  command: string;
  args: readonly string[];
  cwd: string;
  /** in addition to this process's environment */
  env: Readonly<Record<string, string>>;
  /** what it writes, as it comes */
  onOutput: (text: string) => void;
  signal: AbortSignal;
}

/** Runs a program to its end, handing on what it writes as it comes. @returns its exit code; null where a signal ended it */
export async function runProgram({ command, args, cwd, env, onOutput, signal }: ProgramRun): Promise<number | null> {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  // a Ctrl-C at the terminal reaches the program too; this one is for whoever stops us alone
  const end = () => child.kill("SIGTERM");
  signal.addEventListener("abort", end, { once: true });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", onOutput);
  }
  try {
    return await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  } finally {
    signal.removeEventListener("abort", end);
  }
}
