import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { MAX_ALIGNED_BYTES } from "@fedmkt/shared/formats/aligned-shard.ts";
import {
  LENGTH_BYTES,
  measureSafetensorsHeader,
  parseSafetensorsHeader,
  type SafetensorsHeader,
} from "@fedmkt/shared/formats/safetensors.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";
import { inspectAligned } from "./inspect-aligned.ts";
import { inspectAlignment, isAlignment, MAX_ALIGNMENT_BYTES } from "./inspect-alignment.ts";
import { inspectDocument } from "./inspect-document.ts";
import { inspectKnowledge } from "./inspect-knowledge.ts";
import { inspectMap } from "./inspect-map.ts";
import type { Inspection, InspectionContext } from "./inspection.ts";

/** Plans and summaries of the largest federations are some megabytes. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;

/** How much of a text tells what it is. */
const TOLD_BY_BYTES = 64;

/** By the `format` that our files carry in their metadata. */
const FORMATS: Readonly<Record<string, (bytes: Uint8Array, what: string, context: InspectionContext) => Inspection>> = {
  "fedmkt.knowledge": inspectKnowledge,
  "fedmkt.aligned": inspectAligned,
  "fedmkt.vocabulary-map": inspectMap,
};

/**
 * Looks into a file of a run. Our own formats are read and checked whole; of other safetensors files only the header is read.
 * @param what - the file as the person gave it
 * @throws InvalidInputError `FILE_MISSING`, `FILE_TOO_LARGE`, `FILE_UNKNOWN`, and whatever the format's reader refuses
 */
export function inspectFile(file: string, what: string, context: InspectionContext): Inspection {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile()) throw new InvalidInputError("FILE_MISSING", `${what}: expected a file, there is none`);
  if (/\.ya?ml$/.test(file))
    throw new InvalidInputError("FILE_UNKNOWN", `${what}: is a spec; fedmkt validate ${what} checks it`);
  const start = readStart(file, TOLD_BY_BYTES);
  if (start.length === 0) throw new InvalidInputError("FILE_UNKNOWN", `${what}: is empty`);
  const text = new TextDecoder("latin1").decode(start);
  if (isAlignment(text)) {
    refuseLarge(stats.size, MAX_ALIGNMENT_BYTES, what);
    return inspectAlignment(readFileSync(file), what, context);
  }
  if (/\.jsonl$/.test(file))
    throw new InvalidInputError(
      "FILE_UNKNOWN",
      `${what}: expected the JSON Lines that fedmkt align writes, {"sourceTokens":…}, got others`,
    );
  if (/^\s*[{[]/.test(text.slice(0, LENGTH_BYTES))) {
    refuseLarge(stats.size, MAX_DOCUMENT_BYTES, what);
    return inspectDocument(readFileSync(file), what, context);
  }
  const headerBytes = measureSafetensorsHeader(start, stats.size, what);
  const header = parseSafetensorsHeader(readStart(file, headerBytes), stats.size, what);
  const { format } = header.metadata;
  if (format === undefined || !Object.hasOwn(FORMATS, format)) return inspectTensors(header, stats.size);
  refuseLarge(stats.size, MAX_ALIGNED_BYTES, what);
  return FORMATS[format](readFileSync(file), what, context);
}

/** Any safetensors file by its header: a model, an adapter. */
function inspectTensors({ tensors, metadata }: SafetensorsHeader, bytes: number): Inspection {
  let elements = 0;
  for (const { shape } of tensors.values()) elements += shape.reduce((product, size) => product * size, 1);
  const { format, ...rest } = metadata;
  return {
    kind: "safetensors",
    facts: {
      ...(format === undefined ? {} : { format }),
      tensors: tensors.size,
      elements,
      size: { value: bytes, text: formatBytes(bytes) },
      ...rest,
    },
    lines: [...tensors].map(([name, { dtype, shape }]) => `${name}: ${dtype} [${shape.join(", ")}]`),
  };
}

function readStart(file: string, bytes: number): Uint8Array {
  const buffer = new Uint8Array(bytes);
  const handle = openSync(file, "r");
  try {
    return buffer.subarray(0, readSync(handle, buffer, 0, bytes, 0));
  } finally {
    closeSync(handle);
  }
}

function refuseLarge(bytes: number, limit: number, what: string): void {
  if (bytes > limit)
    throw new InvalidInputError("FILE_TOO_LARGE", `${what}: expected at most ${limit} bytes, got ${bytes}`);
}
