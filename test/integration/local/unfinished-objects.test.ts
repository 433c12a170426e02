import { appendFileSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "@jest/globals";
import { startFront } from "../../../cli/src/local/front.ts";
import { storedObjects } from "../../../cli/src/local/stored-objects.ts";
import { startStores } from "../../../cli/src/local/stores.ts";
import { S3ObjectStore, s3Client } from "../../../shared/src/adapters/aws/s3-object-store.ts";

const credentials = { accessKeyId: "key", secretAccessKey: "secret" };

async function withStores(folder: string, use: (objects: S3ObjectStore) => Promise<void>): Promise<void> {
  const { fauxqs, connect } = await startStores(folder);
  fauxqs.createBucket("box");
  const front = await startFront({ connect, services: {}, accessKeyId: "key" });
  const client = s3Client({ endpoint: front.url, forcePathStyle: true, region: "us-east-1", credentials });
  try {
    await use(new S3ObjectStore(client));
  } finally {
    client.destroy();
    await front.stop();
    await fauxqs.stop();
  }
}

it("starts over half-written files of a killed process, forgets those objects and keeps the others", async () => {
  const run = mkdtempSync(path.join(tmpdir(), "fedmkt-unfinished-"));
  const folder = path.join(run, "aws", "objects");
  const keys = ["a/whole", "a/cut-meta", "a/empty-meta", "a/short", "b/no-data"];
  await withStores(folder, async (objects) => {
    for (const key of keys) await objects.put("box", key, new TextEncoder().encode(key));
  });
  const file = (name: string) => path.join(folder, "buckets", "box", "objects", name);
  writeFileSync(file("a/cut-meta.meta.json"), '{"key":"a/cut-m');
  writeFileSync(file("a/empty-meta.meta.json"), "");
  writeFileSync(file("a/short.data"), "a/s");
  writeFileSync(file("b/only-data.data"), "b");
  writeFileSync(file("b/no-data.data"), "");
  writeFileSync(path.join(folder, "buckets", "box", ".bucket.json"), "{");
  mkdirSync(path.join(folder, "_multipart", "upload"), { recursive: true });
  appendFileSync(path.join(folder, "_multipart", "upload", ".upload.json"), '{"uploadId"');
  await withStores(folder, async (objects) => {
    expect(await objects.list("box", "")).toEqual(["a/whole"]);
    expect(new TextDecoder().decode(await objects.get("box", "a/whole", 9))).toBe("a/whole");
  });
  expect(existsSync(file("b/only-data.data"))).toBe(false);
  expect(storedObjects(run).list("box", "")).toEqual(["a/whole"]);
});
