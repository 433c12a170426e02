import { InvalidInputError } from "../core/errors.ts";

/** One thing wrong with a spec. */
export interface SpecMistake {
  /** as a person writes it: `clients[0].training.learningRate`; empty for the document itself */
  path: string;
  /** in the YAML text, from 1; null where the text has no such place */
  line: number | null;
  /** expected and got, without the path */
  message: string;
}

/** All mistakes of one spec at once: the message lists them, `mistakes` holds them for programs. */
export class InvalidSpecError extends InvalidInputError {
  readonly mistakes: readonly SpecMistake[];

  /** @param what - the spec as errors name it, such as its file */
  constructor(what: string, mistakes: readonly SpecMistake[]) {
    const count = mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`;
    super(
      "SPEC_INVALID",
      [`${what}: ${count}`, ...mistakes.map((mistake) => `  ${describeMistake(mistake)}`)].join("\n"),
    );
    this.mistakes = mistakes;
  }
}

function describeMistake({ path, line, message }: SpecMistake): string {
  const place = [line === null ? "" : `line ${line}`, path].filter((part) => part !== "").join(", ");
  return place === "" ? message : `${place}: ${message}`;
}

/** `["clients", 0, "id"]` as `clients[0].id`. */
export function writePath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`))
    .join("");
}
