import type { z } from "zod";
import { InvalidInputError } from "../core/errors.ts";
import type { ObjectStore } from "../ports/object-store.ts";

/** Largest JSON document of ours: a selection of ten million samples stays below it. */
const MAX_JSON_BYTES = 64 * 1024 * 1024;

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** Reads and checks one of our own JSON documents. @throws InvalidInputError `DOCUMENT_INVALID` naming the key and every mistake */
export async function readJson<S extends z.ZodType>(
  objects: ObjectStore,
  bucket: string,
  key: string,
  schema: S,
): Promise<z.infer<S>> {
  const bytes = await objects.get(bucket, key, MAX_JSON_BYTES);
  return parseJson(bytes, key, schema);
}

/** As {@link readJson}, for bytes at hand. */
export function parseJson<S extends z.ZodType>(bytes: Uint8Array, what: string, schema: S): z.infer<S> {
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
