import { InvalidSpecError } from "@fedmkt/shared/contracts/spec-mistake.ts";
import { FedmktError } from "@fedmkt/shared/core/errors.ts";
import type { ExitCode } from "./command.ts";

/** An error as the envelope and the terminal show it. */
export interface Failure {
  name: string;
  code: string;
  message: string;
  details: Readonly<Record<string, unknown>>;
  exitCode: ExitCode;
}

/** A run that failed: its own error's name and words, not a crash of the tool. */
export class RunFailure extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Any thrown value as a failure: bad input is 2, everything else 1. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof RunFailure) return error.failure;
  if (error instanceof FedmktError)
    return {
      name: error.name,
      code: error.code,
      message: error.message,
      details: error instanceof InvalidSpecError ? { mistakes: error.mistakes } : {},
      exitCode: error.name === "InvalidInputError" ? 2 : 1,
    };
  // citty's: a missing argument, a value that is none of an enum's
  if (error instanceof Error && error.name === "CLIError")
    return { name: "InvalidInputError", code: "BAD_ARGUMENT", message: error.message, details: {}, exitCode: 2 };
  const name = error instanceof Error ? error.name : "Error";
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { name, code: "UNEXPECTED", message, details: {}, exitCode: 1 };
}
