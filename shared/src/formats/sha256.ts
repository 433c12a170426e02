import { createHash } from "node:crypto";

/** SHA-256 as 64 lower-case hexadecimal digits. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A piece takes a few milliseconds. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** The same of many bytes: between pieces of them whatever else waits has its turn, for a gigabyte takes a second or two. */
export async function sha256InPieces(bytes: Uint8Array): Promise<string> {
  const hash = createHash("sha256");
  for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
    hash.update(bytes.subarray(from, from + PIECE_BYTES));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return hash.digest("hex");
}
