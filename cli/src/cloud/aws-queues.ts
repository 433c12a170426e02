import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from "@aws-sdk/client-sqs";
import type { CloudQueues } from "./cloud.ts";
import { attempt } from "./cloud-failure.ts";

const MISSING = new Set(["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"]);

export class AwsQueues implements CloudQueues {
  readonly #client: SQSClient;

  constructor(client: SQSClient) {
    this.#client = client;
  }

  async count(name: string): Promise<{ waiting: number; taken: number } | null> {
    return attempt("sqs:GetQueueAttributes", name, async () => {
      try {
        const { QueueUrl } = await this.#client.send(new GetQueueUrlCommand({ QueueName: name }));
        const { Attributes } = await this.#client.send(
          new GetQueueAttributesCommand({
            QueueUrl,
            AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
          }),
        );
        return {
          waiting: Number(Attributes?.ApproximateNumberOfMessages ?? 0),
          taken: Number(Attributes?.ApproximateNumberOfMessagesNotVisible ?? 0),
        };
      } catch (error) {
        if (MISSING.has((error as Error).name)) return null;
        throw error;
      }
    });
  }
}
