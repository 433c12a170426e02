import type { SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { SqsJobQueue } from "../../../shared/src/adapters/aws/sqs-job-queue.ts";
import { sqsClient } from "../../../shared/src/adapters/aws/sqs-message-queue.ts";
import { EMBEDDED, type EmbeddedStores, startEmbeddedStores } from "../../support/embedded-stores.ts";
import { createJobQueue, type TestQueue } from "../../support/job-queues.ts";

let stores: EmbeddedStores;
let client: SQSClient;
beforeAll(async () => {
  stores = await startEmbeddedStores([]);
  client = sqsClient({ endpoint: stores.url, useQueueUrlAsEndpoint: false, maxAttempts: 1, ...EMBEDDED });
});
afterAll(async () => {
  client.destroy();
  await stores.stop();
});

let made = 0;
async function prepare(): Promise<{ queue: SqsJobQueue; test: TestQueue }> {
  const test = await createJobQueue(client, `jobs-${made++}`);
  return { queue: new SqsJobQueue(client, test.url), test };
}
const wait = (waitSeconds: number, hiddenSeconds = 30, signal = new AbortController().signal) => ({
  waitSeconds,
  hiddenSeconds,
  signal,
});

describe("a party's queue on SQS", () => {
  it("gives a message to one receiver and hides it from the others", async () => {
    const { queue, test } = await prepare();
    await test.send("job 1");
    expect(await queue.receive(wait(1))).toEqual({ body: "job 1", receiptHandle: expect.any(String) });
    expect(await queue.receive(wait(0))).toBeNull();
  });

  it("gives it again when its time is over, and later where it is hidden again", async () => {
    const { queue, test } = await prepare();
    await test.send("job 1");
    const first = await queue.receive(wait(1, 1));
    await queue.hide(first!, 3);
    expect(await queue.receive(wait(2))).toBeNull();
    expect(await queue.receive(wait(5, 1))).toMatchObject({ body: "job 1" });
    expect(await queue.receive(wait(5))).toMatchObject({ body: "job 1" });
  });

  it("gives it again at once where it is given back", async () => {
    const { queue, test } = await prepare();
    await test.send("job 1");
    await queue.hide((await queue.receive(wait(1, 300)))!, 0);
    expect(await queue.receive(wait(0))).toMatchObject({ body: "job 1" });
  });

  it("never gives it again once it is deleted", async () => {
    const { queue, test } = await prepare();
    await test.send("job 1");
    await queue.delete((await queue.receive(wait(1, 1)))!);
    expect(await queue.receive(wait(2))).toBeNull();
    expect(await test.count()).toBe(0);
  });

  it("ends its wait when it is told to", async () => {
    const { queue } = await prepare();
    const startedMs = performance.now();
    expect(await queue.receive(wait(20, 30, AbortSignal.timeout(200)))).toBeNull();
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it("names itself in its errors", async () => {
    const missing = `${stores.url}/000000000000/missing`;
    const queue = new SqsJobQueue(client, missing);
    for (const call of [() => queue.receive(wait(0)), () => queue.hide({ body: "", receiptHandle: "x" }, 1)])
      await expect(call()).rejects.toMatchObject({
        name: "InvalidInputError",
        message: expect.stringContaining(missing),
      });
  });
});
