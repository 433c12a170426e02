import { z } from "zod";

/** status.json: how a run stands. `error` and `cause` are there where it failed. */
export const runStatus = z.strictObject({
  run: z.string(),
  status: z.enum(["RUNNING", "SUCCEEDED", "FAILED"]),
  /** the execution that runs it, or did */
  execution: z.string(),
  error: z.string().optional(),
  cause: z.string().optional(),
});
export type RunStatus = z.infer<typeof runStatus>;
