import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { DeleteObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { S3ObjectStore, s3Client } from "../../../shared/src/adapters/aws/s3-object-store.ts";
import { S3Registry } from "../../../shared/src/adapters/aws/s3-registry.ts";
import { FolderRegistry } from "../../../shared/src/adapters/registry/folder-registry.ts";
import { LocalAdapterFolders } from "../../../shared/src/adapters/registry/local-adapter-folders.ts";
import { encodeJson } from "../../../shared/src/contracts/json-document.ts";
import { registryKeys } from "../../../shared/src/contracts/keys.ts";
import type { Registry } from "../../../shared/src/ports/registry.ts";
import { type EmbeddedStores, startEmbeddedStores } from "../../support/embedded-stores.ts";
import {
  type AdapterToPublish,
  adapterPlace,
  publishedAdapter,
  publishInFolder,
  writeEntry,
} from "../../support/published-adapter.ts";

const MAX_ENTRY_BYTES = 4 * 1024 * 1024;
const GOING_ON = new AbortController().signal;
const WEIGHTS = "adapter_model.safetensors";

/** A place that a registry reads, as publishers and operators change it. */
interface Place {
  registry: Registry;
  publish(adapter: AdapterToPublish): Promise<void>;
  /** writes what is no entry where one belongs */
  spoil(adapter: AdapterToPublish, bytes: Uint8Array): Promise<void>;
  /** replaces one of its files; null: takes it away */
  change(adapter: AdapterToPublish, file: string, bytes: Uint8Array | null): Promise<void>;
  withdraw(adapter: AdapterToPublish): Promise<void>;
  /** puts something else there */
  litter(): Promise<void>;
}

let root: string;
let stores: EmbeddedStores;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "fedmkt-registry-"));
  stores = await startEmbeddedStores([
    "artefacts",
    "registry-1",
    "registry-2",
    "registry-3",
    "registry-4",
    "registry-5",
    "registry-6",
    "registry-7",
    "registry-8",
    "registry-9",
  ]);
});
afterAll(async () => {
  await stores.stop();
  await rm(root, { recursive: true, force: true });
});

async function inFolder(): Promise<Place> {
  const runs = await mkdtemp(path.join(root, "runs-"));
  return {
    registry: new FolderRegistry(runs),
    publish: async (adapter) => {
      publishInFolder(runs, adapter);
    },
    spoil: async (adapter, bytes) => writeEntry(adapterPlace(runs, adapter), bytes),
    async change(adapter, file, bytes) {
      const place = path.join(adapterPlace(runs, adapter), file);
      if (bytes === null) await rm(place);
      else await writeFile(place, bytes);
    },
    withdraw: (adapter) => rm(path.join(adapterPlace(runs, adapter), "registry-entry.json")),
    async litter() {
      await writeFile(path.join(runs, "notes.txt"), "not a run");
      await mkdir(path.join(runs, "unfinished", "adapters", "ward"), { recursive: true });
      await mkdir(path.join(runs, "empty"));
    },
  };
}

async function inBucket(): Promise<Place> {
  count++;
  const bucket = `registry-${count}`;
  const objects = new S3ObjectStore(stores.s3);
  const keyOf = ({ party, run }: AdapterToPublish) => registryKeys.entry(party, run);
  return {
    registry: new S3Registry(stores.s3, bucket),
    async publish(adapter) {
      const { files, entry } = publishedAdapter(adapter);
      for (const [name, bytes] of Object.entries(files))
        await objects.put("artefacts", `${entry.adapter.folder}/${name}`, bytes);
      await objects.put(bucket, keyOf(adapter), encodeJson(entry));
    },
    spoil: (adapter, bytes) => objects.put(bucket, keyOf(adapter), bytes),
    async change(adapter, file, bytes) {
      const key = `${publishedAdapter(adapter).entry.adapter.folder}/${file}`;
      if (bytes === null) await stores.s3.send(new DeleteObjectCommand({ Bucket: "artefacts", Key: key }));
      else await objects.put("artefacts", key, bytes);
    },
    async withdraw(adapter) {
      await stores.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: keyOf(adapter) }));
    },
    async litter() {
      for (const key of ["adapters/ward/notes.txt", "adapters/ward/deep/run.json", "other/ward/run.json"])
        await objects.put(bucket, key, new Uint8Array());
    },
  };
}

describe.each([
  ["a folder of runs", inFolder],
  ["a bucket in S3", inBucket],
])("%s as a registry", (_, open) => {
  const ward = { party: "ward", run: "first", weight: 3 };
  let place: Place;
  let folder: string;
  beforeEach(async () => {
    place = await open();
    folder = await mkdtemp(path.join(root, "fetched-"));
  });

  const listed = async () => (await place.registry.list("ward", GOING_ON))[0];
  const fetch = async () =>
    place.registry.fetch(await listed(), publishedAdapter(ward).entry.adapter, folder, GOING_ON);

  it("lists the entries that there are, of all parties or of one, and nothing else", async () => {
    await place.publish(ward);
    await place.publish({ party: "ward", run: "second" });
    await place.publish({ party: "harbour", run: "first" });
    await place.litter();
    const parties = (await place.registry.list(null, GOING_ON)).map(({ party }) => party).sort();
    expect(parties).toEqual(["harbour", "ward", "ward"]);
    expect(
      (await place.registry.list("ward", GOING_ON)).map(({ party, run }) => [party, run ?? "unknown"]),
    ).toHaveLength(2);
    expect(await place.registry.list("nobody", GOING_ON)).toEqual([]);
  });

  it("gives an entry as it was written", async () => {
    await place.publish(ward);
    expect(Buffer.from(await place.registry.read(await listed(), GOING_ON))).toEqual(
      Buffer.from(encodeJson(publishedAdapter(ward).entry)),
    );
  });

  it("says another version once an entry has changed, and the same one until then", async () => {
    await place.publish(ward);
    const { place: where, version } = await listed();
    expect(await listed()).toMatchObject({ place: where, version });
    await place.publish({ ...ward, weight: 4 });
    expect((await listed()).version).not.toBe(version);
    expect((await listed()).place).toBe(where);
  });

  it("lists an entry no more once it is deleted", async () => {
    await place.publish(ward);
    const before = await listed();
    await place.withdraw(ward);
    expect(await place.registry.list(null, GOING_ON)).toEqual([]);
    await expect(place.registry.read(before, GOING_ON)).rejects.toMatchObject({
      code: expect.stringMatching(/^(FILE|OBJECT)_MISSING$/),
    });
  });

  it("gives an entry of any content, but none that is longer than entries are", async () => {
    await place.publish(ward);
    await place.spoil(ward, new Uint8Array(MAX_ENTRY_BYTES));
    expect(await place.registry.read(await listed(), GOING_ON)).toHaveLength(MAX_ENTRY_BYTES);
    await place.spoil(ward, new Uint8Array(MAX_ENTRY_BYTES + 1));
    await expect(place.registry.read(await listed(), GOING_ON)).rejects.toMatchObject({
      name: "InvalidInputError",
      code: expect.stringMatching(/^(FILE|OBJECT)_TOO_LARGE$/),
    });
  });

  it("puts an adapter's files into a folder, byte for byte", async () => {
    await place.publish(ward);
    await fetch();
    const { files } = publishedAdapter(ward);
    expect((await readdir(folder)).sort()).toEqual(Object.keys(files));
    for (const [name, bytes] of Object.entries(files))
      expect(await readFile(path.join(folder, name))).toEqual(Buffer.from(bytes));
  });

  it("refuses a file that is missing, or of another length than its entry says", async () => {
    await place.publish(ward);
    await place.change(ward, WEIGHTS, new Uint8Array(10));
    await expect(fetch()).rejects.toMatchObject({ name: "InvalidInputError", code: "OUTPUT_CHANGED" });
    await place.change(ward, WEIGHTS, null);
    await expect(fetch()).rejects.toMatchObject({ code: expect.stringMatching(/^(FILE|OBJECT)_MISSING$/) });
  });
});

describe("a folder of runs", () => {
  it("is no registry where it is not there", async () => {
    await expect(new FolderRegistry(path.join(root, "nowhere")).list(null)).rejects.toMatchObject({
      code: "FILE_MISSING",
    });
  });

  it("reads runs by links, and takes no folder for a file", async () => {
    const place = await mkdtemp(path.join(root, "runs-"));
    const real = await mkdtemp(path.join(root, "real-"));
    publishInFolder(real, { party: "ward", run: "first" });
    await rename(path.join(real, "first"), path.join(real, "run"));
    await symlink(path.join(real, "run"), path.join(place, "linked"));
    const registry = new FolderRegistry(place);
    const [listed] = await registry.list(null);
    expect(listed.place).toBe("linked/adapters/ward/registry-entry.json");
    const { adapter } = publishedAdapter({ party: "ward", run: "first" }).entry;
    await rm(path.join(real, "run/adapters/ward/README.md"));
    await mkdir(path.join(real, "run/adapters/ward/README.md"));
    await expect(registry.fetch(listed, adapter, root)).rejects.toMatchObject({ code: "OUTPUT_CHANGED" });
    await rm(path.join(real, "run/adapters/ward/registry-entry.json"));
    await mkdir(path.join(real, "run/adapters/ward/registry-entry.json"));
    await expect(registry.read(listed)).rejects.toMatchObject({ name: "TransientError", code: "FILE_UNREADABLE" });
  });
});

describe("a bucket in S3", () => {
  it("is said to be missing, or out of reach, by what passes with time", async () => {
    await expect(new S3Registry(stores.s3, "nowhere").list(null, GOING_ON)).rejects.toMatchObject({
      code: "OBJECT_MISSING",
    });
    const client = s3Client({
      endpoint: "http://127.0.0.1:9",
      region: "us-east-1",
      maxAttempts: 1,
      credentials: { accessKeyId: "a", secretAccessKey: "b" },
    });
    await expect(new S3Registry(client, "registry").list(null, GOING_ON)).rejects.toMatchObject({
      name: "TransientError",
    });
    client.destroy();
  });

  it("is given up when the signal comes, though it does not answer", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const credentials = { accessKeyId: "a", secretAccessKey: "b" };
    const client = s3Client({ endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", credentials });
    const registry = new S3Registry(client, "registry");
    const { adapter } = publishedAdapter({ party: "ward", run: "first" }).entry;
    const given = { place: "adapters/ward/first.json", version: "1", party: "ward", run: "first" };
    for (const ask of [
      (signal: AbortSignal) => registry.list(null, signal),
      (signal: AbortSignal) => registry.read(given, signal),
      (signal: AbortSignal) => registry.fetch(given, adapter, root, signal),
    ]) {
      const ending = new AbortController();
      const asked = ask(ending.signal);
      setTimeout(() => ending.abort(), 50);
      await expect(asked).rejects.toMatchObject({ name: "TransientError" });
    }
    client.destroy();
    silent.closeAllConnections();
    silent.close();
  });

  it("is followed over as many pages as it takes, but not without end", async () => {
    const asked: (string | undefined)[] = [];
    const endless = (pages: number) =>
      ({
        send: async ({ input }: { input: { ContinuationToken?: string } }) => {
          asked.push(input.ContinuationToken);
          const page = asked.length;
          return {
            Contents: Array.from({ length: 1000 }, (_, index) => ({
              Key: `adapters/ward/run-${page}-${index}.json`,
              ETag: "1",
            })),
            ...(page < pages && { NextContinuationToken: `page-${page}` }),
          };
        },
      }) as unknown as S3Client;
    expect(await new S3Registry(endless(3), "registry").list(null, GOING_ON)).toHaveLength(3000);
    expect(asked).toEqual([undefined, "page-1", "page-2"]);
    asked.length = 0;
    await expect(new S3Registry(endless(100), "registry").list(null, GOING_ON)).rejects.toMatchObject({
      code: "REGISTRY_TOO_LARGE",
    });
    expect(asked).toHaveLength(11);
  });
});

describe("folders for adapters", () => {
  it("are this process's own, made empty, and gone at its end", async () => {
    const shared = path.join(root, "deep", "shared");
    const [one, other] = [await LocalAdapterFolders.open(shared), await LocalAdapterFolders.open(shared)];
    const made = await one.make("ward@first");
    expect(await other.make("ward@first")).not.toBe(made);
    await writeFile(path.join(made, "x"), "");
    expect(await readdir(await one.make("ward@first"))).toEqual([]);
    await one.remove(made);
    await one.remove(made);
    await rm(path.dirname(made), { recursive: true });
    expect(await readdir(await one.make("ward@second"))).toEqual([]);
    await one.close();
    expect(await readdir(shared)).toHaveLength(1);
    await other.close();
    expect(await readdir(shared)).toEqual([]);
  });
});
