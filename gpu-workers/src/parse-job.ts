import { answerableMessage, job, jobMessage, type WorkerJob } from "@fedmkt/shared/contracts/job.ts";
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

/** A message of a job and a token is a tenth of this. */
const MAX_MESSAGE_CHARACTERS = 32_768;

/** A queue's message as far as it can be answered: with a token, even a job that is none can be refused. */
export interface AnswerableMessage {
  token: string;
  /** @throws InvalidInputError `JOB_INVALID` naming every wrong field; `JOB_FOREIGN` where the job is another party's */
  job(): WorkerJob;
}

/** @returns null where the message names no token, so that nobody can be told of it */
export function parseJobMessage(body: string, party: string): AnswerableMessage | null {
  if (body.length > MAX_MESSAGE_CHARACTERS) return null;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  const answerable = answerableMessage.safeParse(value);
  if (!answerable.success) return null;
  return {
    token: answerable.data.taskToken,
    job() {
      const result = jobMessage.safeParse(value);
      if (!result.success) throw new InvalidInputError("JOB_INVALID", `job message: ${issues(result.error)}`);
      const found = result.data.job as unknown as WorkerJob;
      if (found.party !== party)
        throw new InvalidInputError(
          "JOB_FOREIGN",
          `job message: expected a job of ${party}, whose worker this is, got one of ${found.party}`,
        );
      return found;
    },
  };
}
