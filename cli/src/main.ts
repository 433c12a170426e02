import { readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { closestName } from "@fedmkt/shared/contracts/closest-name.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { renderUsage } from "citty";
import { parseArguments } from "./arguments.ts";
import type { Command, ExitCode, Outcome } from "./command.ts";
import { COMMANDS } from "./command-table.ts";
import { type Dependencies, realDependencies } from "./dependencies.ts";
import { describeFailure } from "./failure.ts";
import { type Io, processIo } from "./io.ts";

const HELP = new Set(["--help", "-h", "help"]);

/**
 * Runs one command line. Everything thrown inside ends here.
 * @returns 0 done, 1 failed, 2 bad input
 */
export async function runCli(
  argv: readonly string[],
  io: Io,
  dependencies: Dependencies = realDependencies,
): Promise<ExitCode> {
  const json = argv.includes("--json");
  try {
    const outcome = await answer(argv, io, dependencies);
    if (json) {
      if (outcome.envelopeWritten !== true) io.stdout.write(writeEnvelope({ ok: true, data: outcome.data }));
    } else if (outcome.text !== "") io.stdout.write(`${outcome.text}\n`);
    return outcome.exitCode ?? 0;
  } catch (error) {
    const { exitCode, ...failure } = describeFailure(error);
    const message = stripVTControlCharacters(failure.message);
    if (json) io.stdout.write(writeEnvelope({ ok: false, error: { ...failure, message } }));
    else io.stderr.write(`${failure.name} (${failure.code}): ${message}\n`);
    return exitCode;
  }
}

async function answer(argv: readonly string[], io: Io, dependencies: Dependencies): Promise<Outcome> {
  const [name, ...rest] = argv[0] === "--json" ? argv.slice(1) : argv;
  if (name === undefined) return { ...help(listCommands()), exitCode: 2 };
  const about = rest.find((word) => !word.startsWith("-"));
  if (HELP.has(name))
    return help(about === undefined ? listCommands() : await describeCommand(await findCommand(about), io));
  if (name === "--version") return readVersion();
  const command = await findCommand(name);
  if (rest.some((word) => word === "--help" || word === "-h")) return help(await describeCommand(command, io));
  return command.run({ args: parseArguments(command, rest), io, dependencies });
}

function help(text: string): Outcome {
  return { data: { help: text }, text };
}

function readVersion(): Outcome {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return { data: { version, node: process.versions.node }, text: `fedmkt ${version}` };
}

/** One Ctrl-C may come twice, from the terminal and from the launcher; a person's second one comes later than this. */
const SAME_INTERRUPT_MS = 1000;

/** What was stopped may leave a download or a computation behind, which nobody waits for. */
const LEFT_BEHIND_MS = 1000;

/** The process's edge: signals in, exit code out. The second Ctrl-C ends it at once. */
export async function main(): Promise<void> {
  const controller = new AbortController();
  let interruptedMs = 0;
  const interrupt = () => {
    if (!controller.signal.aborted) {
      interruptedMs = performance.now();
      controller.abort();
    } else if (performance.now() - interruptedMs > SAME_INTERRUPT_MS) process.exit(1);
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  process.on("SIGHUP", interrupt);
  // whoever read along may go (fedmkt run … | head -1): the run goes on, and run.json tells how it ended
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  process.exitCode = await runCli(process.argv.slice(2), processIo(controller.signal));
  // comes only where something still keeps the process
  if (controller.signal.aborted) setTimeout(() => process.exit(), LEFT_BEHIND_MS).unref();
}

function writeEnvelope(envelope: unknown): string {
  return `${JSON.stringify(envelope)}\n`;
}

async function findCommand(name: string): Promise<Command> {
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name].load();
  const close = closestName(name, Object.keys(COMMANDS));
  throw new InvalidInputError(
    "UNKNOWN_COMMAND",
    `there is no command ${JSON.stringify(name)}; ${close === null ? `there are ${Object.keys(COMMANDS).join(", ")}` : `did you mean ${close}?`}`,
  );
}

function listCommands(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const rows = Object.entries(COMMANDS).map(([name, { description }]) => `  ${name.padEnd(width)} ${description}`);
  return [
    "fedmkt: federated mutual knowledge transfer between a large language model and small ones",
    "",
    ...rows,
    "",
    "fedmkt COMMAND --help says more; fedmkt --version tells the version. Exit codes: 0 done, 1 failed, 2 bad input.",
  ].join("\n");
}

async function describeCommand(command: Command, io: Io): Promise<string> {
  const usage = await renderUsage({ meta: command.meta, args: command.args }, { meta: { name: "fedmkt" } });
  const examples = ["EXAMPLES", "", ...command.examples.map((line) => `  ${line}`)].join("\n");
  const text = `${usage.trimEnd()}\n\n${examples}\n\nExit codes: 0 done, 1 failed, 2 bad input.`;
  return io.colours ? text : stripVTControlCharacters(text);
}
