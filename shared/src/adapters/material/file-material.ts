import { type FileHandle, open, readdir, realpath } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { InvalidInputError, TransientError } from "../../core/errors.ts";
import { fingerprintWeights } from "../../formats/fingerprint-weights.ts";
import { modelFiles, weightFiles } from "../../formats/model-files.ts";
import type { Material } from "../../ports/material.ts";
import { hashWeights } from "./hash-weights.ts";

/** System errors by which a place is simply not what was expected. */
const NOT_THERE = new Set(["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG"]);
const NOT_ALLOWED = new Set(["EACCES", "EPERM"]);

/**
 * Models and data on this machine's disk, by absolute path or `file:` URL; or those below one folder alone, by paths relative to
 * it too. The folder's limit holds for links as well: what is read is what they lead to.
 */
export class FileMaterial implements Material {
  readonly #folder: string | null;

  /** @param folder - absolute; null: everything that this process may read */
  constructor(folder: string | null = null) {
    this.#folder = folder;
  }

  async read(location: string, maxBytes: number): Promise<Uint8Array> {
    try {
      await using file = await open(await this.#place(location), "r");
      const { size } = await file.stat();
      if (size > maxBytes)
        throw new InvalidInputError(
          "FILE_TOO_LARGE",
          `${location}: expected at most ${maxBytes} bytes, it has ${size}`,
        );
      return new Uint8Array(await file.readFile());
    } catch (cause) {
      throw fileFailure(location, this.#folder === null ? "a file" : "a file below the data folder", cause);
    }
  }

  async folder(location: string): Promise<string> {
    try {
      const folder = await this.#place(location);
      for (const name of modelFiles(await readdir(folder), location))
        await this.#refuseOutside(path.join(folder, name), location);
      return folder;
    } catch (cause) {
      throw fileFailure(location, "a model folder", cause);
    }
  }

  async fingerprint(location: string): Promise<string> {
    const folder = await this.folder(location);
    const opened: FileHandle[] = [];
    try {
      const files = [];
      for (const name of weightFiles(await readdir(folder))) {
        const file = await open(path.join(folder, name), "r");
        opened.push(file);
        files.push({ name, bytes: (await file.stat()).size, read: readerOf(file) });
      }
      return await fingerprintWeights(files);
    } finally {
      for (const file of opened) await file.close();
    }
  }

  async weightsHash(location: string): Promise<string> {
    return hashWeights(await this.folder(location));
  }

  /** Where a location leads. @throws InvalidInputError `LOCATION_RELATIVE`, `LOCATION_OUTSIDE` */
  async #place(location: string): Promise<string> {
    const given = location.startsWith("file:") ? fileURLToPath(location) : location;
    if (this.#folder === null) {
      if (path.isAbsolute(given)) return given;
      throw new InvalidInputError(
        "LOCATION_RELATIVE",
        `${location}: expected s3://bucket/key, an absolute path or a file: URL`,
      );
    }
    const place = path.resolve(this.#folder, given);
    // looked at before the disk is asked, so that nobody learns what lies elsewhere
    if (!isBelow(this.#folder, place)) throw outside(location);
    await this.#refuseOutside(place, location);
    return realpath(place);
  }

  async #refuseOutside(place: string, location: string): Promise<void> {
    if (this.#folder !== null && !isBelow(await realpath(this.#folder), await realpath(place))) throw outside(location);
  }
}

function isBelow(folder: string, place: string): boolean {
  const relative = path.relative(folder, place);
  return relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

function outside(location: string): InvalidInputError {
  return new InvalidInputError(
    "LOCATION_OUTSIDE",
    `${location}: expected a path below the data folder, which is all that is read here`,
  );
}

function readerOf(file: FileHandle) {
  return async (offset: number, bytes: number) => {
    const block = new Uint8Array(bytes);
    const { bytesRead } = await file.read(block, 0, bytes, offset);
    return block.subarray(0, bytesRead);
  };
}

function fileFailure(location: string, expected: string, cause: unknown): Error {
  if (cause instanceof InvalidInputError) return cause;
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
  if (NOT_THERE.has(code)) {
    const found = code === "EISDIR" ? "a folder" : "none";
    return new InvalidInputError("FILE_MISSING", `${location}: expected ${expected}, found ${found} (${code})`, {
      cause,
    });
  }
  if (NOT_ALLOWED.has(code))
    return new InvalidInputError("ACCESS_DENIED", `${location}: may not be read (${code})`, { cause });
  return new TransientError("FILE_UNREADABLE", `${location}: ${(cause as Error).message}`, { cause });
}
