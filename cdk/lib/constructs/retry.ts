import { RETRYABLE_ERRORS } from "@fedmkt/shared/contracts/stages.ts";
import { Duration } from "aws-cdk-lib";
import { JitterType, type RetryProps } from "aws-cdk-lib/aws-stepfunctions";

/** A task of CDK's, or one that is written out. */
interface Retried {
  addRetry(props: RetryProps): unknown;
}

const BACK_OFF = { interval: Duration.seconds(2), backoffRate: 2, jitterStrategy: JitterType.FULL };

/** Retried is what says of itself that it may pass; everything else fails the state at once. */
export function retryTransient(task: Retried): void {
  task.addRetry({ errors: [...RETRYABLE_ERRORS], maxAttempts: 3, maxDelay: Duration.minutes(1), ...BACK_OFF });
}

/**
 * For trouble of the service behind the task itself, which is worth more patience: throttling lasts as long as others are
 * busy, and capacity comes back in minutes. Should something have been started all the same, the second of two equal jobs
 * finds the first one's manifest.
 * @param errors - the service's `RETRYABLE_…_ERRORS`
 */
export function retryService(task: Retried, errors: readonly string[]): void {
  task.addRetry({ errors: [...errors], maxAttempts: 8, maxDelay: Duration.minutes(5), ...BACK_OFF });
}
