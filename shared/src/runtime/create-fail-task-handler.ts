import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import type { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { z } from "zod";
import { alignShardMessage } from "../contracts/job.ts";
import type { TaskCallback } from "../ports/task-callback.ts";
import { houseLogger, identityOf } from "./house-logger.ts";

/** A dead letter may be anything; of all of it only the token matters. A site's job names itself inside. */
const withToken = z.looseObject({ taskToken: alignShardMessage.shape.taskToken, job: z.unknown().optional() });

/**
 * The handler of the dead letters of the shard queue and of the parties' job queues: fails the token of the state that waits, so
 * that a poisoned message ends its run at once and not at a time-out. The name is InvariantError, which nothing retries: the deliveries were the retries.
 */
export function createFailTaskHandler(
  callback: TaskCallback,
  logger: Pick<Logger, "error"> = houseLogger("fail-task"),
) {
  async function handleRecord({ messageId, body, attributes }: SQSRecord): Promise<void> {
    const receives = attributes.ApproximateReceiveCount;
    const letter = withToken.safeParse(parsedJson(body));
    if (!letter.success) {
      logger.error("dead letter without a token", { messageId, receives, bytes: body.length });
      return;
    }
    const identity = identityOf(letter.data.job ?? letter.data);
    logger.error("task given up", { messageId, ...identity });
    const place = Object.entries(identity)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ");
    await callback.fail(letter.data.taskToken, {
      name: "InvariantError",
      cause: `message ${messageId} (${place}) could not be handled in several deliveries and is now a dead letter`,
    });
  }

  return middy<SQSEvent, SQSBatchResponse>().handler(async (event: SQSEvent, context: Context) =>
    processPartialResponse(event, handleRecord, new BatchProcessor(EventType.SQS), {
      context,
      throwOnFullBatchFailure: false,
    }),
  );
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
