import { z } from "zod";
import { selectionCount, transfer } from "./summary.ts";

/** selection.json: from whom the target learns each public sample this round. */
export const selection = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  round: z.int().min(1),
  target: z.string(),
  sources: z.array(z.string()).min(1),
  /** [samples of the public set] index into sources, −1 where the target was at least as good as everyone */
  winners: z.array(z.int().min(-1)),
  count: selectionCount,
  transfers: z.array(transfer),
});
export type Selection = z.infer<typeof selection>;
