import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import type { JobQueue, QueuedMessage } from "../../ports/job-queue.ts";
import { awsFailure } from "./aws-failure.ts";

/** A wait that lasts this much longer than asked for has lost its connection: a machine that slept would else wait for good. */
const LOST_SECONDS = 20;

/** One SQS queue, by its URL. */
export class SqsJobQueue implements JobQueue {
  readonly #client: SQSClient;
  readonly #url: string;

  constructor(client: SQSClient, url: string) {
    this.#client = client;
    this.#url = url;
  }

  async receive(options: {
    waitSeconds: number;
    hiddenSeconds: number;
    signal: AbortSignal;
  }): Promise<QueuedMessage | null> {
    const { waitSeconds, hiddenSeconds, signal } = options;
    const lost = AbortSignal.timeout((waitSeconds + LOST_SECONDS) * 1000);
    try {
      const { Messages = [] } = await this.#client.send(
        new ReceiveMessageCommand({
          QueueUrl: this.#url,
          MaxNumberOfMessages: 1,
          WaitTimeSeconds: waitSeconds,
          VisibilityTimeout: hiddenSeconds,
        }),
        { abortSignal: AbortSignal.any([signal, lost]) },
      );
      const [message] = Messages;
      return message ? { body: message.Body ?? "", receiptHandle: message.ReceiptHandle! } : null;
    } catch (cause) {
      if (signal.aborted) return null;
      throw awsFailure(this.#url, cause);
    }
  }

  async hide({ receiptHandle }: QueuedMessage, seconds: number): Promise<void> {
    await this.#send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: this.#url,
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: seconds,
      }),
    );
  }

  async delete({ receiptHandle }: QueuedMessage): Promise<void> {
    await this.#send(new DeleteMessageCommand({ QueueUrl: this.#url, ReceiptHandle: receiptHandle }));
  }

  async #send(command: ChangeMessageVisibilityCommand | DeleteMessageCommand): Promise<void> {
    try {
      await this.#client.send(command as DeleteMessageCommand);
    } catch (cause) {
      throw awsFailure(this.#url, cause);
    }
  }
}
