import { createHash } from "node:crypto";

/** Each file is looked at in so many places, evenly spread, the first at its beginning: fine-tuning changes nearly every byte. */
const PLACES = 64;
const PLACE_BYTES = 4096;

/** A file below this length is read whole, at once: its places overlap. */
const WHOLE_BYTES = PLACES * PLACE_BYTES;

/** One weight file, wherever it lies, of which parts can be read. */
export interface RangedFile {
  name: string;
  bytes: number;
  /** @returns so many bytes from an offset on; both lie within the file, and at least one byte is asked for */
  read(offset: number, bytes: number): Promise<Uint8Array>;
}

/**
 * SHA-256 over each weight file's name, length and a sample of its bytes; reads at most 256 KiB a file. The same files have the same
 * fingerprint on a disk and in S3.
 * @param files - in order of name
 */
export async function fingerprintWeights(files: readonly RangedFile[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) {
    hash.update(`${file.name}\0${file.bytes}\0`);
    for (const place of await readPlaces(file)) hash.update(place);
  }
  return hash.digest("hex");
}

async function readPlaces({ bytes, read }: RangedFile): Promise<Uint8Array[]> {
  if (bytes === 0) return [];
  const length = Math.min(PLACE_BYTES, bytes);
  const offsets = Array.from({ length: PLACES }, (_, place) => Math.floor(((bytes - length) * place) / (PLACES - 1)));
  if (bytes > WHOLE_BYTES) return Promise.all(offsets.map((offset) => read(offset, length)));
  const whole = await read(0, bytes);
  return offsets.map((offset) => whole.subarray(offset, offset + length));
}
