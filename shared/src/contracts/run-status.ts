import { z } from "zod";

/** status.json: how a run ended. `error` and `cause` are there where it failed. */
export const runStatus = z.strictObject({
  run: z.string(),
  status: z.enum(["SUCCEEDED", "FAILED"]),
  error: z.string().optional(),
  cause: z.string().optional(),
});
