import { z } from "zod";

/** What a running job says of itself, as the `progress` member of a structured log line; the CLI draws it. */
export const progressEvent = z.object({
  run: z.string(),
  round: z.int(),
  stage: z.string(),
  party: z.string(),
  /** where the stage is run-baseline: which */
  baseline: z.string().optional(),
  phase: z.enum(["started", "training", "extracting", "scoring", "done"]),
  /** with "done": an earlier attempt had finished the job, and nothing was done now */
  reused: z.boolean().optional(),
  step: z.int().optional(),
  steps: z.int().optional(),
  /** of the step: nats a token; where knowledge is learned too, λ · that + (1 − λ) · the loss to the knowledge */
  loss: z.number().optional(),
  tokensPerSecond: z.number().optional(),
});
export type ProgressEvent = z.infer<typeof progressEvent>;
