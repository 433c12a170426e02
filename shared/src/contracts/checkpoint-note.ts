import { z } from "zod";

const phase = z.string().min(1).max(200);

/** The note of a job's checkpoint: which of the job's training phases it was saved in, and what the ones before came to. */
export const checkpointNote = z.strictObject({
  phase,
  finished: z
    .array(z.strictObject({ phase, steps: z.int().min(0), loss: z.number() }))
    // a baseline has two phases a round
    .max(2000),
});
export type CheckpointNote = z.infer<typeof checkpointNote>;
