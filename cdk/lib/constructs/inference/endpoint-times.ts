import { LONGEST_SILENCE_SECONDS } from "@fedmkt/shared/contracts/serving-times.ts";
import { Duration } from "aws-cdk-lib";

/** For as long the load balancer waits for a byte, and a task that goes is let answer before it is told to end. */
export const LONGEST_ANSWER = Duration.seconds(LONGEST_SILENCE_SECONDS);

/** What ECS grants after SIGTERM on Fargate at most; by then the load balancer has parted from the task, and new requests go elsewhere. */
export const STOP = Duration.seconds(120);

/** Until a task of a service counts: a machine that comes from nothing, two images of several GB, a model, compiling it. */
export const COLD_START = Duration.minutes(30);
