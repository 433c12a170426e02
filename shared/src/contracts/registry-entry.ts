import { z } from "zod";
import { partyName, resourceName } from "./identifier.ts";
import { score } from "./summary.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Longest entry. A run has a few hundred scores at most, each of a hundred bytes. */
export const MAX_ENTRY_BYTES = 4 * 1024 * 1024;
/** An adapter of rank 256 on a 7 B model has about 3 GiB. */
export const MAX_ADAPTER_FILE_BYTES = 4 * 1024 * 1024 * 1024;
const MAX_FILES = 16;
const MAX_SCORES = 10_000;
/** A name directly in a folder, which leads nowhere else. */
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

const file = z.strictObject({
  name: z.string().regex(FILE_NAME, "expected a file's name: letters, digits, . _ and -, at most 128"),
  bytes: z.int().min(0).max(MAX_ADAPTER_FILE_BYTES),
  sha256,
});

/**
 * adapters/<party>/<run>.json in the registry, and registry-entry.json in an adapter's folder on a machine: one published adapter, where
 * it lies, what it belongs to and how it scored.
 */
export const registryEntry = z.strictObject({
  version: z.literal(1),
  party: partyName,
  run: resourceName,
  /** rounds that made it */
  rounds: z.int().min(1),
  specHash: sha256,
  /** when it was registered first, such as 2026-11-23T07:32:00.000Z; entries of older programs have none and count as older than all that have */
  publishedAt: z.iso.datetime({ precision: 3 }).optional(),
  base: z.strictObject({
    name: z.string().max(4096),
    configHash: sha256,
    tokenizerHash: sha256,
    weightsFingerprint: sha256,
  }),
  adapter: z.strictObject({
    bucket: z.string().max(255),
    /** the PEFT folder's key */
    folder: z.string().max(1024),
    files: z
      .array(file)
      .max(MAX_FILES)
      .refine((files) => new Set(files.map(({ name }) => name)).size === files.length, "expected each file once"),
  }),
  /** after the last round */
  scores: z.array(score).max(MAX_SCORES),
});
export type RegistryEntry = z.infer<typeof registryEntry>;
