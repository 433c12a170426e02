import { z } from "zod";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * manifest.json commits a job: written last and conditionally, it lists every output with its hash. A job whose manifest
 * exists is done, whoever did it; outputs without a manifest are an unfinished attempt and are written again.
 */
export const manifest = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  round: z.int().min(0),
  stage: z.string(),
  party: z.string(),
  outputs: z.array(z.strictObject({ name: z.string(), bytes: z.int().min(0), sha256 })),
  /** numbers for the report: losses, samples, tokens, counts; no paths and no times, so that equal runs are equal bytes */
  metrics: z.record(z.string(), z.number()),
  /** hashes that a later stage compares */
  facts: z.record(z.string(), z.string()).default({}),
});
export type Manifest = z.infer<typeof manifest>;
