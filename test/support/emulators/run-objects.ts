import { createHash } from "node:crypto";

/** What a run is to be compared by: every object that it wrote, but for what tells of time and place. */
export interface RunObjects {
  /** SHA-256 of the spec as it was handed in: its locations are those of one place */
  specHash: string;
  keys: readonly string[];
  read(key: string): Promise<Uint8Array>;
}

/** Says how long work took, on which machine. */
const OF_TIME = /\/usage\//;
/** Carry the spec's hash in their text. */
const OF_SPEC = /\/published\/(summary\.json|report\.html)$/;

/**
 * SHA-256 by key of what two runs of one spec must have in common to the byte, wherever each ran. Only in summary and report the
 * spec's own hash, which follows from its locations, is put aside first.
 */
export async function fingerprints({ specHash, keys, read }: RunObjects): Promise<Record<string, string>> {
  const entries: [string, string][] = [];
  for (const key of keys) {
    if (OF_TIME.test(key)) continue;
    const bytes = await read(key);
    entries.push([key, sha256(OF_SPEC.test(key) ? withoutHash(bytes, specHash) : bytes)]);
  }
  return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** @throws Error where the hash is not there: then this comparison leaves out what it should not */
function withoutHash(bytes: Uint8Array, specHash: string): Uint8Array {
  const text = Buffer.from(bytes).toString("utf8");
  const short = specHash.slice(0, 12);
  if (!text.includes(short)) throw new Error(`expected the spec's hash ${short} in the text`);
  return Buffer.from(text.replaceAll(specHash, "<spec>").replaceAll(short, "<spec>"), "utf8");
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
