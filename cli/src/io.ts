/** The world as a command sees it, so that it can be tested without a process. */
export interface Io {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  /** whether colours may be written to standard output */
  colours: boolean;
  /** all of standard input */
  readInput(): Promise<Uint8Array>;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** aborted by the first Ctrl-C */
  signal: AbortSignal;
  /** asks the person at the terminal; null where nobody sits there */
  ask: ((question: string) => Promise<string>) | null;
}

/** This process's own. */
export function processIo(signal: AbortSignal): Io {
  const { stdin, stdout, stderr, env } = process;
  const ask = async (question: string) => {
    const { createInterface } = await import("node:readline/promises");
    const lines = createInterface({ input: stdin, output: stderr });
    try {
      return await lines.question(question, { signal });
    } finally {
      lines.close();
    }
  };
  return {
    stdout,
    stderr,
    readInput: async () => {
      const pieces: Buffer[] = [];
      for await (const piece of stdin) pieces.push(piece);
      return new Uint8Array(Buffer.concat(pieces));
    },
    colours: Boolean(stdout.isTTY) && !env.NO_COLOR,
    cwd: process.cwd(),
    env,
    signal,
    ask: stdin.isTTY && stderr.isTTY ? ask : null,
  };
}
