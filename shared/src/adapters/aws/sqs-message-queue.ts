import {
  ChangeMessageVisibilityCommand,
  GetQueueUrlCommand,
  SQSClient,
  type SQSClientConfig,
} from "@aws-sdk/client-sqs";
import type { MessageQueue } from "../../ports/message-queue.ts";
import { awsFailure } from "./aws-failure.ts";

export function sqsClient(config: SQSClientConfig = {}): SQSClient {
  return new SQSClient(config);
}

/** Messages of SQS. An event names its queue by ARN, SQS wants the URL: each is asked for once. */
export class SqsMessageQueue implements MessageQueue {
  readonly #client: SQSClient;
  readonly #urls = new Map<string, string>();

  constructor(client: SQSClient) {
    this.#client = client;
  }

  async comeAgain(
    { queueArn, receiptHandle }: { queueArn: string; receiptHandle: string },
    delaySeconds: number,
  ): Promise<void> {
    try {
      await this.#client.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: await this.#urlOf(queueArn),
          ReceiptHandle: receiptHandle,
          VisibilityTimeout: delaySeconds,
        }),
      );
    } catch (cause) {
      throw awsFailure(queueArn, cause);
    }
  }

  async #urlOf(queueArn: string): Promise<string> {
    const known = this.#urls.get(queueArn);
    if (known !== undefined) return known;
    const [, , , , account, name] = queueArn.split(":");
    const { QueueUrl } = await this.#client.send(
      new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: account }),
    );
    this.#urls.set(queueArn, QueueUrl!);
    return QueueUrl!;
  }
}
