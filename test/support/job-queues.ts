import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";

export interface TestQueue {
  url: string;
  deadLetters: string;
  /** Sends a text, or a value as JSON. */
  send(message: unknown): Promise<void>;
  /** Bodies that can be received now, which hides them for a second. */
  visible(url?: string): Promise<string[]>;
  /** Messages on the queue, hidden ones too. */
  count(): Promise<number>;
}

/** A party's job queue as the stacks make it, with dead letters, in the stores of a test. */
export async function createJobQueue(client: SQSClient, name: string, maxReceiveCount = 3): Promise<TestQueue> {
  const dead = await client.send(new CreateQueueCommand({ QueueName: `${name}-dead-letters` }));
  const attributes = async (url: string) =>
    (await client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }))).Attributes!;
  const deadLetterTargetArn = (await attributes(dead.QueueUrl!)).QueueArn;
  const made = await client.send(
    new CreateQueueCommand({
      QueueName: name,
      Attributes: { VisibilityTimeout: "300", RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount }) },
    }),
  );
  const url = made.QueueUrl!;
  return {
    url,
    deadLetters: dead.QueueUrl!,
    async send(message) {
      const body = typeof message === "string" ? message : JSON.stringify(message);
      await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body }));
    },
    async visible(from = url) {
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({ QueueUrl: from, MaxNumberOfMessages: 10, VisibilityTimeout: 1 }),
      );
      return Messages.map(({ Body }) => Body!);
    },
    async count() {
      const { ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible } = await attributes(url);
      return Number(ApproximateNumberOfMessages) + Number(ApproximateNumberOfMessagesNotVisible);
    },
  };
}
