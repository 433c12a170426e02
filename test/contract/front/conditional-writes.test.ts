import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type Front, startFront } from "../../../cli/src/local/front.ts";
import { MAX_BODY_BYTES } from "../../../cli/src/local/read-body.ts";
import { type Stores, startStores } from "../../../cli/src/local/stores.ts";
import { S3ObjectStore, s3Client } from "../../../shared/src/adapters/aws/s3-object-store.ts";

let stores: Stores;
let front: Front;
let objects: S3ObjectStore;
const credentials = { accessKeyId: "key-of-this-start", secretAccessKey: "secret" };
const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/a/us-east-1/s3/aws4_request`;
const bytes = (text: string) => new TextEncoder().encode(text);

beforeAll(async () => {
  stores = await startStores(mkdtempSync(path.join(tmpdir(), "fedmkt-front-")));
  stores.fauxqs.createBucket("box");
  front = await startFront({
    connect: stores.connect,
    services: {
      AWSStepFunctions: (operation, input) => {
        if (operation === "Fails") throw Object.assign(new Error("gone"), { name: "TaskTimedOut" });
        return { operation, input };
      },
    },
    accessKeyId: credentials.accessKeyId,
  });
  objects = new S3ObjectStore(
    s3Client({ endpoint: front.url, forcePathStyle: true, region: "us-east-1", credentials }),
  );
});

afterAll(async () => {
  await front.stop();
  await stores.fauxqs.stop();
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
      fetch(`${front.url}/box/answers`, { method: "PUT", headers: { authorization, ...headers }, body });
    expect((await put({})).status).toBe(200);
    const loser = await put({ "if-none-match": "*" });
    expect(loser.status).toBe(412);
    expect(await loser.text()).toContain("<Code>PreconditionFailed</Code>");
    expect((await put({ "if-match": '"0"' })).status).toBe(501);
    expect((await put({}, "x".repeat(MAX_BODY_BYTES + 1))).status).toBe(413);
  });

  it("serves reads with ranges and conditions, and lists", async () => {
    await objects.put("box", "read/a", bytes("0123456789"));
    const part = await fetch(`${front.url}/box/read/a`, { headers: { authorization, range: "bytes=2-4" } });
    expect([part.status, await part.text()]).toEqual([206, "234"]);
    expect(await objects.list("box", "read/")).toEqual(["read/a"]);
    expect(await objects.head("box", "read/none")).toBeNull();
  });

  it("answers Step Functions calls by operation, errors by their AWS name, and takes SQS calls at a queue's own URL", async () => {
    stores.fauxqs.createQueue("q");
    const call = async (url: string, target: string, input: object) => {
      const headers = { authorization, "content-type": "application/x-amz-json-1.0", "x-amz-target": target };
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

  it("listens on the loopback interface only, and is the only way to the stores, which have no port", async () => {
    expect(front.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await expect(fetch(stores.fauxqs.address)).rejects.toThrow();
  });

  const put = (key: string, headers: Record<string, string>, port = Number(new URL(front.url).port)) =>
    request({ host: "127.0.0.1", port, path: `/box/${key}`, method: "PUT", headers });
  const statusOf = async (asked: ClientRequest) => {
    const [answered] = (await once(asked.end("x"), "response")) as [IncomingMessage];
    answered.resume();
    return answered.statusCode;
  };

  it.each<[string, Record<string, string>]>([
    ["unsigned", {}],
    ["under another access key", { authorization: authorization.replace("key-of", "kez-of") }],
    ["under another scheme", { authorization: `Basic ${credentials.accessKeyId}/` }],
    ["for a foreign host", { authorization, host: "evil.example" }],
  ])("refuses requests %s to every service", async (_, headers) => {
    expect(await statusOf(put("refused", headers))).toBe(403);
    for (const target of ["AWSStepFunctions.Echo", "AmazonSQS.ListQueues"])
      expect(await statusOf(put("refused", { ...headers, "x-amz-target": target }))).toBe(403);
    expect(await objects.head("box", "refused")).toBeNull();
  });

  it("takes the access key of a presigned URL too", async () => {
    await objects.put("box", "presigned", bytes("p"));
    const query = `X-Amz-Credential=${encodeURIComponent(`${credentials.accessKeyId}/a/us-east-1/s3/aws4_request`)}`;
    expect((await fetch(`${front.url}/box/presigned?${query}`)).status).toBe(200);
    expect((await fetch(`${front.url}/box/presigned?X-Amz-Credential=other%2Fa`)).status).toBe(403);
  });

  it("lets a key go when a client that waited for it, or wrote it, has gone", async () => {
    const gone = Array.from({ length: 10 }, () => {
      const asked = put("left", { authorization, "if-none-match": "*" }).on("error", () => {});
      asked.end("x".repeat(100_000));
      return asked;
    });
    await Promise.all(gone.map((asked) => once(asked, "finish")));
    for (const asked of gone) asked.destroy();
    await objects.put("box", "left", bytes("after"));
    expect(new TextDecoder().decode(await objects.get("box", "left", 9))).toBe("after");
  });
});
