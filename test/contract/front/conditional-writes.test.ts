import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { FauxqsServer } from "fauxqs";
import { type Front, MAX_BODY_BYTES, startFront } from "../../../cli/src/local/front.ts";
import { startStores } from "../../../cli/src/local/loopback.ts";
import { S3ObjectStore, s3Client } from "../../../shared/src/adapters/aws/s3-object-store.ts";

let stores: FauxqsServer;
let front: Front;
let objects: S3ObjectStore;
const bytes = (text: string) => new TextEncoder().encode(text);

beforeAll(async () => {
  stores = await startStores(mkdtempSync(path.join(tmpdir(), "fedmkt-front-")));
  stores.createBucket("box");
  front = await startFront(stores.port, (operation, input) => {
    if (operation === "Fails") throw Object.assign(new Error("gone"), { name: "TaskTimedOut" });
    return { operation, input };
  });
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  objects = new S3ObjectStore(
    s3Client({ endpoint: front.url, forcePathStyle: true, region: "us-east-1", credentials }),
  );
});

afterAll(async () => {
  await front.stop();
  await stores.stop();
});

describe("the front of the embedded S3", () => {
  it("lets exactly one of 20 writers that race for a key win, and keeps the winner's bytes", async () => {
    const won = await Promise.all(
      Array.from({ length: 20 }, (_, index) => objects.putIfAbsent("box", "race", bytes(`writer ${index}`))),
    );
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(new TextDecoder().decode(await objects.get("box", "race", 100))).toBe(`writer ${won.indexOf(true)}`);
  });

  it("does not let a conditional write through behind an unconditional one", async () => {
    const [, conditional] = await Promise.all([
      objects.put("box", "plain", bytes("a")),
      objects.putIfAbsent("box", "plain", bytes("b")),
    ]);
    expect(new TextDecoder().decode(await objects.get("box", "plain", 9))).toBe("a");
    expect(typeof conditional).toBe("boolean");
    expect(await objects.putIfAbsent("box", "plain", bytes("c"))).toBe(false);
  });

  it("enforces the condition on an upload in parts too", async () => {
    const large = new Uint8Array(20 * 1024 * 1024).fill(7);
    expect(await objects.putIfAbsent("box", "large", large)).toBe(true);
    expect(await objects.putIfAbsent("box", "large", large)).toBe(false);
    expect(await objects.head("box", "large")).toMatchObject({ bytes: large.length });
  });

  it("answers as S3 does: 412 for the loser, 501 for conditions that are not served, 413 for too long a body", async () => {
    const put = (headers: Record<string, string>, body = "x") =>
      fetch(`${front.url}/box/answers`, { method: "PUT", headers, body });
    expect((await put({})).status).toBe(200);
    const loser = await put({ "if-none-match": "*" });
    expect(loser.status).toBe(412);
    expect(await loser.text()).toContain("<Code>PreconditionFailed</Code>");
    expect((await put({ "if-match": '"0"' })).status).toBe(501);
    expect((await put({}, "x".repeat(MAX_BODY_BYTES + 1))).status).toBe(413);
  });

  it("serves reads with ranges and conditions, and lists", async () => {
    await objects.put("box", "read/a", bytes("0123456789"));
    const part = await fetch(`${front.url}/box/read/a`, { headers: { range: "bytes=2-4" } });
    expect([part.status, await part.text()]).toEqual([206, "234"]);
    expect(await objects.list("box", "read/")).toEqual(["read/a"]);
    expect(await objects.head("box", "read/none")).toBeNull();
  });

  it("answers Step Functions calls by operation, errors by their AWS name, and takes SQS calls at a queue's own URL", async () => {
    stores.createQueue("q");
    const call = async (url: string, target: string, input: object) => {
      const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": target };
      const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(input) });
      return { status: answer.status, ...((await answer.json()) as object) };
    };
    expect(await call(front.url, "AWSStepFunctions.Echo", { a: 1 })).toEqual({
      status: 200,
      operation: "Echo",
      input: { a: 1 },
    });
    expect(await call(front.url, "AWSStepFunctions.Fails", {})).toEqual({
      status: 400,
      __type: "TaskTimedOut",
      message: "gone",
    });
    const url = `${front.url}/000000000000/q`;
    expect(await call(url, "AmazonSQS.SendMessage", { QueueUrl: url, MessageBody: "m" })).toMatchObject({
      status: 200,
    });
  });

  it("listens on the loopback interface only, stores included", () => {
    expect(front.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(stores.address).toContain("127.0.0.1");
  });
});
