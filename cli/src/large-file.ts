import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";

/** Node reads and writes at most 2 GiB at once; the state of a whole model's training may have more. */
const PIECE_BYTES = 1024 ** 3;

/** Writes beside and renames, so that a file is there whole or not at all, also where the machine loses power. */
export function writeWhole(file: string, bytes: Uint8Array): void {
  const part = `${file}.part`;
  const descriptor = openSync(part, "w");
  try {
    try {
      for (let at = 0; at < bytes.length; )
        at += writeSync(descriptor, bytes, at, Math.min(PIECE_BYTES, bytes.length - at));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true }); // on a full disk half a file would only be in the way
    throw error;
  }
}

export function readWhole(file: string): Uint8Array {
  const descriptor = openSync(file, "r");
  try {
    const bytes = new Uint8Array(fstatSync(descriptor).size);
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(descriptor, bytes, at, Math.min(PIECE_BYTES, bytes.length - at), at);
      if (read === 0) return bytes.subarray(0, at);
      at += read;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}
