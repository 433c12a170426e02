import { job, type WorkerJob } from "@fedmkt/shared/contracts/job.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { issues } from "@fedmkt/shared/runtime/stage-failure.ts";

/** A job from the machine's JSON. @throws InvalidInputError `JOB_INVALID` naming every wrong field */
export function parseJob(json: string): WorkerJob {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new InvalidInputError("JOB_INVALID", `FEDMKT_JOB: expected JSON (${(cause as Error).message})`, { cause });
  }
  const result = job.safeParse(value);
  if (!result.success) throw new InvalidInputError("JOB_INVALID", `FEDMKT_JOB: ${issues(result.error)}`);
  return result.data as unknown as WorkerJob;
}
