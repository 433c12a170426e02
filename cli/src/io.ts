/** The world as a command sees it, so that it can be tested without a process. */
export interface Io {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  /** whether colours may be written to standard output */
  colours: boolean;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** aborted by the first Ctrl-C */
  signal: AbortSignal;
}

/** This process's own. */
export function processIo(signal: AbortSignal): Io {
  const { stdout, stderr, env } = process;
  return { stdout, stderr, colours: Boolean(stdout.isTTY) && !env.NO_COLOR, cwd: process.cwd(), env, signal };
}
