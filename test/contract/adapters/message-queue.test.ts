import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { SqsMessageQueue, sqsClient } from "../../../shared/src/adapters/aws/sqs-message-queue.ts";
import { EMBEDDED, type EmbeddedStores, startEmbeddedStores } from "../../support/embedded-stores.ts";

let stores: EmbeddedStores;
let client: SQSClient;
let url: string;
let queueArn: string;

beforeAll(async () => {
  stores = await startEmbeddedStores([]);
  client = sqsClient({ endpoint: stores.url, maxAttempts: 1, ...EMBEDDED });
  const created = await client.send(
    new CreateQueueCommand({ QueueName: "shards", Attributes: { VisibilityTimeout: "720" } }),
  );
  url = created.QueueUrl!;
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["QueueArn"] }),
  );
  queueArn = Attributes!.QueueArn!;
});
afterAll(async () => {
  client.destroy();
  await stores.stop();
});

const receive = async (waitSeconds: number) =>
  (await client.send(new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: waitSeconds }))).Messages?.[0];

describe("the queue of SQS", () => {
  it("lets a message come again after the given time instead of its own", async () => {
    await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: "shard 0" }));
    const first = await receive(1);
    expect(await receive(0)).toBeUndefined();
    await new SqsMessageQueue(client).comeAgain({ queueArn, receiptHandle: first!.ReceiptHandle! }, 1);
    expect(await receive(5)).toMatchObject({ Body: "shard 0", MessageId: first!.MessageId });
  });

  it("names the queue in its errors", async () => {
    const missing = "arn:aws:sqs:us-east-1:000000000000:missing";
    await expect(
      new SqsMessageQueue(client).comeAgain({ queueArn: missing, receiptHandle: "x" }, 1),
    ).rejects.toMatchObject({ name: "InvalidInputError", message: expect.stringContaining(missing) });
  });
});
