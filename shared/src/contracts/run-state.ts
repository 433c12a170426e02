import { z } from "zod";

/** run.json: how a run on this machine stands, in its folder. */
export const runState = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  /** SHA-256 of the spec.yaml beside it */
  specHash: z.string(),
  status: z.enum(["RUNNING", "SUCCEEDED", "FAILED"]),
  /** the id of the process that runs it, while it does */
  process: z.int().nullable(),
  error: z.string().nullable(),
  cause: z.string().nullable(),
  wallTimeMs: z.number().nullable(),
  peakMemoryBytes: z.number().nullable(),
});
export type RunState = z.infer<typeof runState>;
