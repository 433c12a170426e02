import { Duration } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { type IQueue, Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { houseQueue } from "./house-queue.ts";

/** Longest that one batch of shards may take; SQS wants six times that before it hands a message out again. */
export const ALIGN_TIMEOUT = Duration.minutes(2);
const VISIBILITY_TIMEOUT = Duration.seconds(ALIGN_TIMEOUT.toSeconds() * 6);

/**
 * A message that so many deliveries could not get rid of is poisoned. Deliveries after trouble of a service come within 5, 10,
 * 20 and 40 s, and Lambda itself may use one up where it is throttled: three would be over within seconds.
 */
const MAX_RECEIVE_COUNT = 5;

/** The align-shard queue and its dead-letter queue, both encrypted and TLS only. */
export class ShardQueue extends Construct {
  readonly queue: IQueue;
  readonly deadLetters: IQueue;
  readonly encryptionKey: IKey;

  constructor(scope: Construct, id: string, props: { queueName: string; encryptionKey: IKey }) {
    super(scope, id);
    this.encryptionKey = props.encryptionKey;
    const house = { ...houseQueue(props.encryptionKey), visibilityTimeout: VISIBILITY_TIMEOUT };
    const deadLetters = new Queue(this, "DeadLetters", house);
    this.deadLetters = deadLetters;
    this.queue = new Queue(this, "Messages", {
      ...house,
      queueName: props.queueName,
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAX_RECEIVE_COUNT },
    });
  }
}
