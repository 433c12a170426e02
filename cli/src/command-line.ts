import type { Command, CommandContext } from "./command.ts";
import type { Io } from "./io.ts";

/** A command line that says the same again, with some options more, so that a person can copy it into the same shell. */
export function writeCommandLine(
  { meta, args: definitions }: Pick<Command, "meta" | "args">,
  args: CommandContext["args"],
  { env }: Pick<Io, "env">,
  more: Readonly<Record<string, string | true>>,
): string {
  const values: Record<string, string | boolean | undefined> = { ...args, ...more };
  const words = Object.entries(definitions).flatMap(([name, { type }]) => {
    const value = values[name];
    if (value === undefined || value === false) return [];
    if (type === "positional") return [quote(String(value))];
    return value === true ? [`--${name}`] : [`--${name}`, quote(String(value))];
  });
  // of a checkout: npx finds there what the shell does not
  const program = env.npm_command === "exec" ? ["npx", "fedmkt"] : ["fedmkt"];
  return [...program, meta.name, ...words].join(" ");
}

/** A word as a shell takes it. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
