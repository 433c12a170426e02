import { Duration } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { houseQueue } from "./house-queue.ts";

/** A worker at work hides its message again and again; one that died gives it back after this long. */
const VISIBILITY_TIMEOUT = Duration.minutes(5);

/** A site's machine may be switched off in the middle of a job, more often than a function fails. */
const MAX_RECEIVE_COUNT = 10;

/** The jobs of one party that computes at its own site, and what became of those that nobody could finish. */
export class JobQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, props: { queueName: string; deadLetterName: string; encryptionKey: IKey }) {
    super(scope, id);
    const house = { ...houseQueue(props.encryptionKey), visibilityTimeout: VISIBILITY_TIMEOUT };
    this.deadLetters = new Queue(this, "DeadLetters", { ...house, queueName: props.deadLetterName });
    this.queue = new Queue(this, "Jobs", {
      ...house,
      queueName: props.queueName,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: MAX_RECEIVE_COUNT },
    });
  }
}
