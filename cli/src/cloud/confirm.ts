import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { CommandContext } from "../command.ts";
import { RunFailure } from "../failure.ts";

/**
 * Lets a person agree to what was shown, unless --yes did.
 * @throws InvalidInputError `BAD_ARGUMENT` where nobody can be asked; RunFailure `NOT_CONFIRMED`
 */
export async function confirm({ args, io }: Pick<CommandContext, "args" | "io">, question: string): Promise<void> {
  requireAnswer({ args, io }, question);
  if (args.yes === true) return;
  const answer = await io.ask!(`${question} [y/N] `).catch(() => "");
  if (/^y(es)?$/i.test(answer.trim())) return;
  throw new RunFailure({
    name: "NotConfirmed",
    code: "NOT_CONFIRMED",
    message: "nothing was done",
    details: {},
    exitCode: 1,
  });
}

/**
 * For what takes its time before it can ask.
 * @throws InvalidInputError `BAD_ARGUMENT` where nobody can be asked
 */
export function requireAnswer({ args, io }: Pick<CommandContext, "args" | "io">, question: string): void {
  if (args.yes !== true && io.ask === null)
    throw new InvalidInputError("BAD_ARGUMENT", `${question} Nobody is at a terminal to answer: give --yes`);
}

export const YES_ARGUMENT = { yes: { type: "boolean", description: "ask nothing" } } as const;
