import { InvalidInputError } from "../../core/errors.ts";

export type JsonObject = Record<string, unknown>;

/**
 * Parses a JSON file that must hold one object.
 *
 * @param what - names party and file in errors
 * @throws InvalidInputError `FILE_TOO_LARGE`, `INVALID_JSON`
 */
export function parseJsonObject(bytes: Uint8Array, maxBytes: number, what: string): JsonObject {
  if (bytes.length > maxBytes)
    throw new InvalidInputError("FILE_TOO_LARGE", `${what}: expected at most ${maxBytes} bytes, got ${bytes.length}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new InvalidInputError("INVALID_JSON", `${what}: expected UTF-8 JSON: ${(error as Error).message}`);
  }
  if (!isJsonObject(value)) throw new InvalidInputError("INVALID_JSON", `${what}: expected a JSON object`);
  return value;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
