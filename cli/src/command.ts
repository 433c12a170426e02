import type { ArgsDef } from "citty";
import type { Dependencies } from "./dependencies.ts";
import type { Io } from "./io.ts";

/** 0 done, 1 failed, 2 bad input. */
export type ExitCode = 0 | 1 | 2;

/** What a command found: `data` for programs (--json), `text` for people. */
export interface Outcome {
  data: unknown;
  text: string;
  exitCode?: ExitCode;
  /** true: with --json the command has written its envelope already, for whoever waits for it while the command goes on */
  envelopeWritten?: boolean;
}

export interface CommandContext {
  /** by the names of the command's `args`; the parser has checked that they are known and that required ones are there */
  args: Readonly<Record<string, string | boolean | undefined>>;
  io: Io;
  dependencies: Dependencies;
}

/** A command as data; its file is loaded when it is called. */
export interface Command {
  meta: { name: string; description: string };
  args: ArgsDef;
  /** options that may be given several times; their values come joined by commas */
  repeatable?: readonly string[];
  /** whole command lines, shown by --help */
  examples: readonly string[];
  run(context: CommandContext): Promise<Outcome>;
}

/** Every command has it. */
export const JSON_ARGUMENT = {
  json: { type: "boolean", description: "one JSON envelope on standard output, nothing else" },
} as const satisfies ArgsDef;
