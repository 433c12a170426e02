import { InvalidInputError } from "../core/errors.ts";
import type { Material } from "../ports/material.ts";

/** A file that a folder may have. @returns null where there is none */
export async function readOptional(
  material: Pick<Material, "read">,
  location: string,
  maxBytes: number,
): Promise<Uint8Array | null> {
  try {
    return await material.read(location, maxBytes);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Whether a file could not be read since there is none: on this machine, or in S3. */
export function isMissing(error: unknown): boolean {
  return error instanceof InvalidInputError && ["FILE_MISSING", "OBJECT_MISSING"].includes(error.code);
}
