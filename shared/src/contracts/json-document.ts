import type { z } from "zod";
import { InvalidInputError } from "../core/errors.ts";

/** What a JSON document of ours must look like. */
export type DocumentSchema<T> = z.ZodType<T>;

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** @throws InvalidInputError `DOCUMENT_INVALID` naming the document and every mistake in it */
export function parseJson<T>(bytes: Uint8Array, what: string, schema: DocumentSchema<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new InvalidInputError("DOCUMENT_INVALID", `${what}: expected JSON in UTF-8 (${(cause as Error).message})`, {
      cause,
    });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const mistakes = result.error.issues.map(
    (issue) => `${issue.path.join(".") || "(whole document)"}: ${issue.message}`,
  );
  throw new InvalidInputError("DOCUMENT_INVALID", `${what}: ${mistakes.join("; ")}`);
}

/** The one way our JSON is written: two spaces, a final newline. */
export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(`${JSON.stringify(value, null, 2)}\n`);
}
