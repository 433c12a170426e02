import { z } from "zod";

/** claims/<n>.json: which spec a run's id belongs to, and which execution runs it. */
export const claim = z.strictObject({ run: z.string(), specHash: z.string(), execution: z.string() });
export type Claim = z.infer<typeof claim>;
