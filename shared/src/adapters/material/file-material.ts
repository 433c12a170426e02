import { open, readdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { InvalidInputError, TransientError } from "../../core/errors.ts";
import { modelFiles } from "../../formats/model-files.ts";
import type { Material } from "../../ports/material.ts";
import { fingerprintWeights } from "./fingerprint-weights.ts";
import { hashWeights } from "./hash-weights.ts";

/** System errors by which a place is simply not what was expected. */
const NOT_THERE = new Set(["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG"]);
const NOT_ALLOWED = new Set(["EACCES", "EPERM"]);

/** Models and data on this machine's disk, by absolute path or `file:` URL. */
export class FileMaterial implements Material {
  async read(location: string, maxBytes: number): Promise<Uint8Array> {
    try {
      await using file = await open(pathOf(location), "r");
      const { size } = await file.stat();
      if (size > maxBytes)
        throw new InvalidInputError(
          "FILE_TOO_LARGE",
          `${location}: expected at most ${maxBytes} bytes, it has ${size}`,
        );
      return new Uint8Array(await file.readFile());
    } catch (cause) {
      throw fileFailure(location, "a file", cause);
    }
  }

  async folder(location: string): Promise<string> {
    const folder = pathOf(location);
    try {
      modelFiles(await readdir(folder), location);
    } catch (cause) {
      throw fileFailure(location, "a model folder", cause);
    }
    return folder;
  }

  async fingerprint(location: string): Promise<string> {
    return fingerprintWeights(await this.folder(location));
  }

  async weightsHash(location: string): Promise<string> {
    return hashWeights(await this.folder(location));
  }
}

function pathOf(location: string): string {
  if (location.startsWith("file:")) return fileURLToPath(location);
  if (path.isAbsolute(location)) return location;
  throw new InvalidInputError(
    "LOCATION_RELATIVE",
    `${location}: expected s3://bucket/key, an absolute path or a file: URL`,
  );
}

function fileFailure(location: string, expected: string, cause: unknown): Error {
  if (cause instanceof InvalidInputError) return cause;
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
  if (NOT_THERE.has(code))
    return new InvalidInputError("FILE_MISSING", `${location}: expected ${expected}, found none (${code})`, { cause });
  if (NOT_ALLOWED.has(code))
    return new InvalidInputError("ACCESS_DENIED", `${location}: may not be read (${code})`, { cause });
  return new TransientError("FILE_UNREADABLE", `${location}: ${(cause as Error).message}`, { cause });
}
