import { setTimeout as sleep } from "node:timers/promises";
import { DeleteMessageCommand, type Message, ReceiveMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { type LocalResource, REGION } from "./assembly.ts";
import type { LambdaFunctions } from "./lambda-functions.ts";
import type { OnLocalEvent } from "./local-event.ts";
import { toError } from "./named-error.ts";

const LONG_POLL_SECONDS = 10;
/** SQS gives at most this many messages at once. */
const MAX_RECEIVED = 10;

/**
 * Event source mappings from queues to functions: polls, invokes with a batch as AWS sends it, deletes what succeeded. What failed
 * (the whole batch where the function throws, else the reported messages) comes back after the queue's visibility time-out, and
 * goes to the dead-letter queue after `maxReceiveCount`, which fauxqs sees to.
 */
export function startQueueTriggers(options: {
  resources: readonly LocalResource[];
  queueUrl: (name: string) => string;
  queues: SQSClient;
  functions: LambdaFunctions;
  concurrency: number;
  onEvent: OnLocalEvent;
}): { stop(): Promise<void> } {
  const over = new AbortController();
  const loops = options.resources
    .filter(({ type, properties }) => type === "AWS::Lambda::EventSourceMapping" && properties.Enabled !== false)
    .flatMap(({ properties }) => {
      const scaling = properties.ScalingConfig as { MaximumConcurrency?: number } | undefined;
      const loopCount = Math.min(options.concurrency, scaling?.MaximumConcurrency ?? options.concurrency);
      return Array.from({ length: loopCount }, () => poll(properties));
    });

  async function poll(mapping: Record<string, unknown>): Promise<void> {
    const queueArn = String(mapping.EventSourceArn);
    const url = options.queueUrl(queueArn.split(":").pop()!);
    while (!over.signal.aborted) {
      try {
        const { Messages: messages = [] } = await options.queues.send(
          new ReceiveMessageCommand({
            QueueUrl: url,
            MaxNumberOfMessages: Math.min(Number(mapping.BatchSize ?? MAX_RECEIVED), MAX_RECEIVED),
            WaitTimeSeconds: LONG_POLL_SECONDS,
            MessageSystemAttributeNames: ["All"],
            MessageAttributeNames: ["All"],
          }),
          { abortSignal: over.signal },
        );
        if (messages.length > 0) await deliver(mapping, queueArn, url, messages);
      } catch (error) {
        if (over.signal.aborted) return;
        options.onEvent({
          kind: "log",
          source: queueArn,
          line: `${toError(error).name}: ${toError(error).message}`,
          level: "warn",
        });
        await sleep(200, undefined, { signal: over.signal }).catch(() => {});
      }
    }
  }

  async function deliver(
    mapping: Record<string, unknown>,
    queueArn: string,
    url: string,
    messages: Message[],
  ): Promise<void> {
    const answer = await options.functions.invoke(String(mapping.FunctionName), {
      Records: messages.map((each) => record(each, queueArn)),
    });
    const reports = ((mapping.FunctionResponseTypes ?? []) as string[]).includes("ReportBatchItemFailures");
    const failed = reports ? failedIds(answer, messages) : new Set<string>();
    for (const message of messages) {
      if (!failed.has(message.MessageId!))
        await options.queues.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message.ReceiptHandle }));
    }
  }

  return {
    async stop() {
      over.abort();
      await Promise.all(loops);
    },
  };
}

/** An answer that cannot be read fails the whole batch, as on AWS. */
function failedIds(answer: unknown, messages: readonly Message[]): Set<string> {
  const failures = (answer as { batchItemFailures?: unknown } | null)?.batchItemFailures ?? [];
  const sent = new Set(messages.map(({ MessageId }) => MessageId!));
  const ids = Array.isArray(failures)
    ? failures.map((each) => (each as { itemIdentifier?: unknown } | null)?.itemIdentifier)
    : [null];
  return ids.every((id) => typeof id === "string" && sent.has(id)) ? new Set(ids as string[]) : sent;
}

function record(message: Message, queueArn: string) {
  return {
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes ?? {},
    messageAttributes: message.MessageAttributes ?? {},
    md5OfBody: message.MD5OfBody,
    eventSource: "aws:sqs",
    eventSourceARN: queueArn,
    awsRegion: REGION,
  };
}
