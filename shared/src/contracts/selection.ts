import { z } from "zod";
import { METHOD_CHOICES } from "./methods.ts";
import { selectionCount, transfer } from "./summary.ts";

/** selection.json: from whom the target learns each public sample this round. */
export const selection = z.strictObject({
  version: z.literal(2),
  run: z.string(),
  round: z.int().min(1),
  target: z.string(),
  sources: z.array(z.string()).min(1),
  rule: z.enum(METHOD_CHOICES.selection),
  lossMetric: z.enum(METHOD_CHOICES.lossMetric),
  /** [samples of the public set] index into sources, −1: the target itself, which learns nothing then (strict, token, confidence) or its own output */
  winners: z.array(z.int().min(-1)),
  /** [samples] target's loss − the best source's, in the metric's unit; positive where that source is better. Under token: the greatest advantage, in the same unit */
  gaps: z.array(z.number()),
  /** [samples][1 + sources] each candidate's share, the target's first, all 0 where nothing is learned; null: all of it is the winner's */
  shares: z.array(z.array(z.number().min(0).max(1))).nullable(),
  count: selectionCount,
  transfers: z.array(transfer),
});
export type Selection = z.infer<typeof selection>;
