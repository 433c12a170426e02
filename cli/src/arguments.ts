import { closestName } from "@fedmkt/shared/contracts/closest-name.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { type ArgsDef, parseArgs } from "citty";
import type { Command, CommandContext } from "./command.ts";

/**
 * A command's arguments by citty, which lets unknown options and surplus words pass: here they are mistakes.
 * @throws InvalidInputError `BAD_ARGUMENT`; citty's CLIError for a value that is none of an enum's
 */
export function parseArguments(
  { meta, args: definitions, repeatable = [] }: Command,
  argv: readonly string[],
): CommandContext["args"] {
  const parsed = parse(meta.name, argv, definitions);
  // citty keeps the last one
  for (const name of repeatable) if (parsed[name]) Object.assign(parsed, { [name]: valuesOf(name, argv).join(",") });
  const known = Object.keys(definitions);
  refuseUnknown(meta.name, parsed, definitions);
  const positionals = known.filter((name) => definitions[name].type === "positional");
  if (parsed._.length > positionals.length) {
    const expected = positionals.length === 0 ? "no arguments" : positionals.join(" ").toUpperCase();
    // train, evaluate and generate take a model's folder as it is
    const meant =
      positionals.length === 0 && "model" in definitions && parsed.model === undefined
        ? `; did you mean --model ${parsed._[0]}?`
        : "";
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt ${meta.name}: expected ${expected}, got ${parsed._.join(" ")}${meant}`,
    );
  }
  // citty takes --no-port for the opposite of --port, which a value has only where it is an option of its own
  for (const name of known)
    if (
      definitions[name].type !== "boolean" &&
      (parsed[name] === "" || (parsed[name] === false && definitions[`no-${name}`] === undefined))
    )
      throw new InvalidInputError("BAD_ARGUMENT", `fedmkt ${meta.name}: --${name} needs a value`);
  return parsed as CommandContext["args"];
}

/** All values of an option that may be given several times. */
function valuesOf(name: string, argv: readonly string[]): string[] {
  const option = `--${name}`;
  return argv.flatMap((word, index) => {
    if (word.startsWith(`${option}=`)) return [word.slice(option.length + 1)];
    return word === option ? [argv[index + 1]] : [];
  });
}

/** The names under which citty gives an option: of several words in both spellings, and its short one. */
function spellings(name: string, definition: ArgsDef[string]): string[] {
  const camelCase = name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const alias = "alias" in definition ? (definition.alias ?? []) : [];
  return [name, camelCase, ...(Array.isArray(alias) ? alias : [alias])];
}

const MISSING = /^Missing required (?:positional )?argument: (?:--)?(\S+)$/;

/** citty tells of what is missing before the unknown is looked at: nothing is missing whose name is only misspelt. */
function parse(command: string, argv: readonly string[], definitions: ArgsDef) {
  try {
    return parseArgs([...argv], definitions);
  } catch (error) {
    const missing = MISSING.exec((error as Error).message)?.[1];
    if (missing === undefined) throw error;
    const optional = Object.entries(definitions).map(([name, definition]) => [
      name,
      { ...definition, required: false },
    ]);
    refuseUnknown(command, parseArgs([...argv], Object.fromEntries(optional) as ArgsDef), definitions);
    const { type, description } = definitions[missing] ?? definitions[missing.toLowerCase()] ?? {};
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt ${command}: expected ${type === "positional" ? "" : "--"}${missing}${description === undefined ? "" : ` (${description})`}, got none`,
    );
  }
}

function refuseUnknown(command: string, parsed: object, definitions: ArgsDef): void {
  const known = Object.keys(definitions);
  for (const key of Object.keys(parsed)) {
    if (key === "_" || known.some((name) => spellings(name, definitions[name]).includes(key))) continue;
    const options = known.filter((name) => definitions[name].type !== "positional");
    const close = closestName(key, options);
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt ${command}: unknown option --${key}; ${close === null ? `there are ${options.map((name) => `--${name}`).join(", ")}` : `did you mean --${close}?`}`,
    );
  }
}
