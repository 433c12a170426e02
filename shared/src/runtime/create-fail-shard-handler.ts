import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import type { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { z } from "zod";
import { alignShardMessage } from "../contracts/job.ts";
import type { TaskCallback } from "../ports/task-callback.ts";
import { houseLogger, identityOf } from "./house-logger.ts";

/** A dead letter may be anything; of all of it only the token matters. */
const withToken = z.looseObject({ taskToken: alignShardMessage.shape.taskToken });

/**
 * The handler of the shard queue's dead letters: fails the token of the state that waits, so that a poisoned shard ends its
 * round at once and not at its time-out. The name is InvariantError, which nothing retries: the deliveries were the retries.
 */
export function createFailShardHandler(
  callback: TaskCallback,
  logger: Pick<Logger, "error"> = houseLogger("fail-shard"),
) {
  async function handleRecord({ messageId, body, attributes }: SQSRecord): Promise<void> {
    const receives = attributes.ApproximateReceiveCount;
    const letter = withToken.safeParse(parsedJson(body));
    if (!letter.success) {
      logger.error("dead letter without a token", { messageId, receives, bytes: body.length });
      return;
    }
    logger.error("shard given up", { messageId, ...identityOf(letter.data) });
    const place = Object.entries(identityOf(letter.data))
      .map(([name, value]) => `${name} ${value}`)
      .join(", ");
    await callback.fail(letter.data.taskToken, {
      name: "InvariantError",
      cause: `align-shard: message ${messageId} (${place}) could not be handled in several deliveries and is now a dead letter`,
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
