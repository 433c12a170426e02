import { closeSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

const PIECE_BYTES = 1024 ** 2;
const NEWLINE = 0x0a;

/**
 * A file's lines, many at a time: each piece ends after a newline, the last one where the file does. A line longer than
 * `maxLineBytes` comes in a piece that is longer than that, for the reader to refuse, and then nothing more.
 */
export function* readLinesInPieces(file: string, maxLineBytes: number): Generator<Uint8Array> {
  const descriptor = openSync(file, "r");
  try {
    /** what follows the last newline that was read */
    let rest: Buffer[] = [];
    let restBytes = 0;
    while (restBytes <= maxLineBytes) {
      const piece = Buffer.alloc(PIECE_BYTES);
      const read = readSync(descriptor, piece, 0, PIECE_BYTES, null);
      if (read === 0) break;
      const end = piece.subarray(0, read).lastIndexOf(NEWLINE) + 1;
      if (end > 0) {
        yield Buffer.concat([...rest, piece.subarray(0, end)]);
        rest = [];
        restBytes = 0;
      }
      rest.push(piece.subarray(end, read));
      restBytes += read - end;
    }
    if (restBytes > 0) yield Buffer.concat(rest);
  } finally {
    closeSync(descriptor);
  }
}

/** A file that is written piece by piece beside its place, in a folder that is made for it, and is there whole or not at all. */
export class FileInPieces {
  readonly #file: string;
  readonly #part: string;
  #descriptor: number | null;

  constructor(file: string) {
    this.#file = file;
    this.#part = `${file}.part`;
    mkdirSync(dirname(file), { recursive: true });
    this.#descriptor = openSync(this.#part, "w");
  }

  write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor!, bytes, at, bytes.length - at);
  }

  /** Puts it in its place, also where the machine loses power. */
  commit(): void {
    fsyncSync(this.#descriptor!);
    this.#close();
    renameSync(this.#part, this.#file);
  }

  discard(): void {
    this.#close();
    rmSync(this.#part, { force: true });
  }

  #close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}
