import { RETRYABLE_ERRORS, RETRYABLE_LAMBDA_ERRORS } from "@fedmkt/shared/contracts/stages.ts";
import { Duration } from "aws-cdk-lib";
import { JitterType, type TaskStateBase } from "aws-cdk-lib/aws-stepfunctions";

const BACK_OFF = {
  interval: Duration.seconds(2),
  backoffRate: 2,
  maxDelay: Duration.minutes(1),
  jitterStrategy: JitterType.FULL,
};

/** Retried is what says of itself that it may pass; everything else fails the state at once. */
export function retryTransient(task: TaskStateBase): void {
  task.addRetry({ errors: [...RETRYABLE_ERRORS], maxAttempts: 3, ...BACK_OFF });
}

/** For Lambda in addition: trouble of the service itself (throttling most of all), which is worth more patience. */
export function retryLambdaService(task: TaskStateBase): void {
  task.addRetry({ errors: [...RETRYABLE_LAMBDA_ERRORS], maxAttempts: 6, ...BACK_OFF });
}
