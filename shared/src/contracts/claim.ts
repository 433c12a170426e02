import { z } from "zod";

/** claim.json: which spec a run's id belongs to. */
export const claim = z.strictObject({ run: z.string(), specHash: z.string() });
