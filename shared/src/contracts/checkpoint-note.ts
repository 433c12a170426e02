import { z } from "zod";

const phase = z.string().min(1).max(200);

/** What was found of the model between two phases: how good it is, and which adapter it goes on with; null: the fresh one. */
export const finding = z.strictObject({
  phase,
  bitsPerByte: z.number(),
  undone: z.boolean(),
  adapter: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
});
export type Finding = z.infer<typeof finding>;

/** The note of a job's checkpoint: which of the job's training phases it was saved in, and what the ones before came to. */
export const checkpointNote = z.strictObject({
  phase,
  finished: z
    .array(z.union([z.strictObject({ phase, steps: z.int().min(0), loss: z.number() }), finding]))
    // a baseline has two phases and a finding a round, and a finding before the first
    .max(3001),
});
export type CheckpointNote = z.infer<typeof checkpointNote>;
