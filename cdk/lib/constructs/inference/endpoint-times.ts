import { Duration } from "aws-cdk-lib";

/**
 * The longest answer: as long as the load balancer waits for a first or next byte, and as long as a task that goes is let answer before
 * it is told to end.
 */
export const LONGEST_ANSWER = Duration.minutes(5);

/** What ECS grants after SIGTERM on Fargate at most; by then the load balancer has parted from the task, and new requests go elsewhere. */
export const STOP = Duration.seconds(120);

/** Until a task of a service counts: a machine that comes from nothing, two images of several GB, a model, compiling it. */
export const COLD_START = Duration.minutes(30);
