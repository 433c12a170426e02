import fc from "fast-check";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import { applyChanges, type Change, changesOf } from "./changes.ts";
import type { FuzzedFormat } from "./formats.ts";

/**
 * What a reader may allocate, as docs/limits.md states it: so many bytes, and so many for each byte of the file. What is
 * collected meanwhile hides some of it, in a few cases of the thousands.
 */
const ALLOWED_ARRAYS = { bytes: 16 * 2 ** 20, perByte: 4 };
const ALLOWED_HEAP = { bytes: 16 * 2 ** 20, perByte: 64 };
/** What reading may take: the examples are some kilobytes, and two seconds a thousand times what one of them takes. */
const ALLOWED_TIME = { ms: 2000, msPerMiB: 300 };
const LONGEST_MESSAGE = 1000;
/** The file as the reader is told to name it. */
const WHAT = "it";

export interface Case {
  /** which of the format's examples */
  example: number;
  changes: Change[];
  /** whether the file's own hash is made right again after them, where the format has one */
  sealed: boolean;
  /** how the bytes lie: alone, somewhere within others, in one of Node's buffers */
  lies: "alone" | "within" | "buffer";
}

export function casesOf({ framing, examples }: FuzzedFormat): fc.Arbitrary<Case> {
  return fc.record({
    example: fc.nat(examples.length - 1),
    changes: changesOf(framing),
    sealed: fc.boolean(),
    lies: fc.constantFrom("alone", "within", "buffer"),
  });
}

export type Verdict = { outcome: "harmless" } | { outcome: "refused"; code: string };

/**
 * Lets a format's reader read one changed file.
 *
 * @throws where the reader neither refuses the file by name nor gives what the naive checks accept, takes too long or takes
 *   too much memory
 */
export function strike(format: FuzzedFormat, { example, changes, sealed, lies }: Case): Verdict {
  const changed = applyChanges(format.examples[example], changes, format.framing);
  return strikeWith(format, lay(sealed && format.reseal ? format.reseal(changed) : changed, lies));
}

/** As {@link strike}, with a file that is changed already. */
export function strikeWith(format: FuzzedFormat, bytes: Uint8Array): Verdict {
  const before = process.memoryUsage();
  const begun = performance.now();
  const check = read(format, bytes);
  const took = performance.now() - begun;
  const after = process.memoryUsage();
  const arrays = { ...ALLOWED_ARRAYS, bytes: ALLOWED_ARRAYS.bytes + (format.mayAllocate ?? 0) };
  expectAtMost("arrays", after.arrayBuffers - before.arrayBuffers, arrays, bytes.length);
  expectAtMost("heap", after.heapUsed - before.heapUsed, ALLOWED_HEAP, bytes.length);
  if (took > ALLOWED_TIME.ms + (ALLOWED_TIME.msPerMiB * bytes.length) / 2 ** 20)
    throw new Error(`took ${took} ms for ${bytes.length} bytes`);
  if (check instanceof InvalidInputError) return judge(format, check);
  check();
  return { outcome: "harmless" };
}

function read(format: FuzzedFormat, bytes: Uint8Array): (() => void) | InvalidInputError {
  try {
    return format.read(bytes, WHAT);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    return error;
  }
}

function judge(format: FuzzedFormat, { code, message }: InvalidInputError): Verdict {
  if (!format.codes.test(code)) throw new Error(`expected a code like ${format.codes}, got ${code}: ${message}`);
  if (!/^it\b/.test(message)) throw new Error(`expected the file to be named first, got ${message}`);
  if (message.length > LONGEST_MESSAGE) throw new Error(`expected a short message, got ${message.length} characters`);
  if (!message.isWellFormed()) throw new Error("expected a message in well-formed Unicode");
  return { outcome: "refused", code };
}

function lay(bytes: Uint8Array, lies: Case["lies"]): Uint8Array {
  if (lies === "alone") return bytes.slice();
  if (lies === "buffer") return Buffer.from(bytes);
  const place = new Uint8Array(bytes.length + 11).fill(0xa5);
  place.set(bytes, 3);
  return place.subarray(3, 3 + bytes.length);
}

function expectAtMost(
  what: string,
  got: number,
  { bytes, perByte }: { bytes: number; perByte: number },
  length: number,
) {
  const most = bytes + perByte * length;
  if (got > most) throw new Error(`expected at most ${most} bytes of ${what} for a file of ${length}, got ${got}`);
}
