import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import type { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { type AlignShardMessage, alignShardMessage } from "../contracts/job.ts";
import type { StageInput, StageOutput } from "../contracts/stages.ts";
import { type FedmktError, InvalidInputError } from "../core/errors.ts";
import type { MessageQueue } from "../ports/message-queue.ts";
import type { TaskCallback } from "../ports/task-callback.ts";
import { houseLogger, identityOf } from "./house-logger.ts";
import { issues, parseStageOutput, stageFailure } from "./stage-failure.ts";

/**
 * The handler of the shard queue. Each message is one shard and the token of the state that waits for it:
 * - done: the token succeeds, the message is consumed;
 * - what fails again the same way (InvalidInputError, InvariantError): the token fails, the message is consumed;
 * - TransientError: the message comes again after seconds, later each time; after the queue's number of deliveries it is a
 *   dead letter, whose handler fails the token;
 * - a message that is none of ours has no token to answer: it goes back and ends as a dead letter too;
 * - nobody waits for the token any more: the message is consumed, nothing is done.
 */
export function createAlignShardHandler<D>(
  useCase: (deps: D) => (input: StageInput<"align-shard">) => Promise<StageOutput<"align-shard">>,
  deps: D,
  { callback, queue }: { callback: TaskCallback; queue: MessageQueue },
  logger: Pick<Logger, "info" | "warn" | "error"> = houseLogger("align-shard"),
) {
  const align = useCase(deps);

  async function handleRecord(record: SQSRecord): Promise<void> {
    const { taskToken, ...shard } = parseMessage(record);
    if ((await callback.heartbeat(taskToken)) === "gone") {
      logger.info("shard dropped", { ...identityOf(shard), reason: "nobody waits for it any more" });
      return;
    }
    logger.info("shard started", identityOf(shard));
    try {
      const output = parseStageOutput("align-shard", await align(shard));
      await callback.succeed(taskToken, output);
      logger.info("shard done", identityOf(shard));
    } catch (thrown) {
      const failure = stageFailure("align-shard", thrown);
      logger.error("shard failed", { ...identityOf(shard), code: failure.code, error: failure });
      if (failure.name === "TransientError") {
        await comeAgain(record);
        throw failure;
      }
      await callback.fail(taskToken, reportOf(failure));
    }
  }

  /** Where even that fails, the message comes again all the same, after the queue's own time. */
  async function comeAgain({ messageId, eventSourceARN, receiptHandle, attributes }: SQSRecord): Promise<void> {
    const delaySeconds = delayAfter(Number(attributes.ApproximateReceiveCount));
    await queue
      .comeAgain({ queueArn: eventSourceARN, receiptHandle }, delaySeconds)
      .catch((error) => logger.warn("message not hastened", { messageId, error }));
  }

  return middy<SQSEvent, SQSBatchResponse>().handler(async (event: SQSEvent, context: Context) => {
    const processor = new BatchProcessor(EventType.SQS);
    // a whole batch of failures is reported like any other: thrown, it would lose what was answered
    return processPartialResponse(event, handleRecord, processor, { context, throwOnFullBatchFailure: false });
  });
}

/** The first wait before a message comes again, doubled with each delivery: 5, 10, 20, 40 s. */
const FIRST_DELAY_SECONDS = 5;
/** The longest, well below the heartbeat of the state that waits. */
const MAX_DELAY_SECONDS = 300;

function delayAfter(deliveries: number): number {
  return Math.min(FIRST_DELAY_SECONDS * 2 ** (deliveries - 1), MAX_DELAY_SECONDS);
}

/** What a token is told: the name that Retry matches, and the message as its cause. */
export function reportOf(failure: FedmktError): { name: string; cause: string } {
  return { name: failure.name, cause: failure.message };
}

function parseMessage({ messageId, body }: SQSRecord): AlignShardMessage {
  const result = alignShardMessage.safeParse(parsedJson(body));
  if (result.success) return result.data;
  throw new InvalidInputError("MESSAGE_INVALID", `message ${messageId}: ${issues(result.error)}`);
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // refused by the schema, with the message's id
  }
}
