import { InvalidInputError } from "../core/errors.ts";

const named = (message: string, party: string) =>
  [`${party}:`, `client ${party}`].some((name) => message.startsWith(name));

/** Does something with a party's files: what is wrong with them is then said with the party's name. */
export async function forParty<T>(party: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof InvalidInputError) || named(cause.message, party)) throw cause;
    throw new InvalidInputError(cause.code, `${party}: ${cause.message}`, { cause });
  }
}
