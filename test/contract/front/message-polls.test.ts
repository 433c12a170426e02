import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { type Front, startFront } from "../../../cli/src/local/front.ts";
import { type Stores, startStores } from "../../../cli/src/local/stores.ts";

let stores: Stores;
let front: Front;

beforeAll(async () => {
  stores = await startStores(mkdtempSync(path.join(tmpdir(), "fedmkt-polls-")));
  stores.fauxqs.createQueue("jobs", { attributes: { VisibilityTimeout: "600" } });
  front = await startFront({ connect: stores.connect, services: {}, accessKeyId: "key" });
});
afterAll(async () => {
  await front.stop();
  await stores.fauxqs.stop();
});

const receive = (waitSeconds: number, signal?: AbortSignal) =>
  fetch(front.url, {
    method: "POST",
    signal: signal ?? null,
    headers: {
      authorization: "AWS4-HMAC-SHA256 Credential=key/a/us-east-1/sqs/aws4_request",
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": "AmazonSQS.ReceiveMessage",
    },
    body: JSON.stringify({ QueueUrl: `${front.url}/000000000000/jobs`, WaitTimeSeconds: waitSeconds }),
  });

it("a poll whose asker has gone takes no message away from those who are there", async () => {
  const gone = new AbortController();
  const poll = receive(20, gone.signal).catch((error: Error) => error.name);
  await new Promise((done) => setTimeout(done, 200));
  gone.abort();
  expect(await poll).toBe("AbortError");
  await new Promise((done) => setTimeout(done, 100));
  stores.fauxqs.sendMessage("jobs", "a job");
  const { Messages } = (await (await receive(5)).json()) as { Messages: { Body: string }[] };
  expect(Messages).toMatchObject([{ Body: "a job" }]);
  expect(stores.fauxqs.inspectQueue("jobs")!.messages).toMatchObject({ ready: [], inflight: [{}] });
});
