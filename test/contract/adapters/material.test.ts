import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { S3Material } from "../../../shared/src/adapters/aws/s3-material.ts";
import { S3ObjectStore } from "../../../shared/src/adapters/aws/s3-object-store.ts";
import { FileMaterial } from "../../../shared/src/adapters/material/file-material.ts";
import { LocatedMaterial } from "../../../shared/src/adapters/material/located-material.ts";
import type { Material } from "../../../shared/src/ports/material.ts";
import { type EmbeddedStores, startEmbeddedStores } from "../../support/embedded-stores.ts";

const BUCKET = "material";
const MODEL = {
  "config.json": "{}",
  "tokenizer.json": "{}",
  "model-00001-of-00002.safetensors": "first",
  "model-00002-of-00002.safetensors": "second",
  "model.safetensors.index.json": "{}",
  "README.md": "not read",
};

let root: string;
let stores: EmbeddedStores;

async function put(name: string, text: string): Promise<void> {
  await mkdir(path.dirname(path.join(root, name)), { recursive: true });
  await writeFile(path.join(root, name), text);
  await new S3ObjectStore(stores.s3).put(BUCKET, name, Buffer.from(text));
}

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "fedmkt-material-"));
  stores = await startEmbeddedStores([BUCKET]);
  for (const [file, text] of Object.entries(MODEL)) await put(`models/whole/${file}`, text);
  await put("models/no-weights/config.json", "{}");
  await put("models/no-weights/tokenizer.json", "{}");
  await put("data/private.jsonl", '{"text":"x"}\n');
});
afterAll(async () => {
  await stores.stop();
  await rm(root, { recursive: true, force: true });
});

interface Case {
  name: string;
  material: () => Material;
  at: (name: string) => string;
}

const cases: Case[] = [
  {
    name: "files",
    material: () => new LocatedMaterial(new S3Material(stores.s3, root), new FileMaterial()),
    at: (name) => path.join(root, name),
  },
  {
    name: "file: URLs",
    material: () => new LocatedMaterial(new S3Material(stores.s3, root), new FileMaterial()),
    at: (name) => pathToFileURL(path.join(root, name)).href,
  },
  {
    name: "S3",
    material: () => new LocatedMaterial(new S3Material(stores.s3, path.join(root, "cache")), null),
    at: (name) => `s3://${BUCKET}/${name}`,
  },
];

describe.each(cases)("material in $name", ({ material, at }) => {
  it("is read whole", async () => {
    const bytes = await material().read(at("data/private.jsonl"), 100);
    expect(Buffer.from(bytes).toString()).toBe('{"text":"x"}\n');
  });

  it("is refused where it is longer than the limit", async () => {
    await expect(material().read(at("data/private.jsonl"), 12)).rejects.toMatchObject({
      name: "InvalidInputError",
      message: expect.stringContaining("at most 12 bytes, it has 13"),
    });
  });

  it("that is missing is an error that names its location", async () => {
    await expect(material().read(at("data/none.jsonl"), 100)).rejects.toMatchObject({
      name: "InvalidInputError",
      message: expect.stringContaining(at("data/none.jsonl")),
    });
  });

  it("of a model is a folder on this machine with everything a run reads", async () => {
    const folder = await material().folder(at("models/whole"));
    const { "README.md": _, ...read } = MODEL;
    for (const [file, text] of Object.entries(read)) expect(await readFile(path.join(folder, file), "utf8")).toBe(text);
  });

  it("of a model that lacks a file is an error that names the folder and the file", async () => {
    await expect(material().folder(at("models/no-weights"))).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "MODEL_FILE_MISSING",
      message: expect.stringMatching(/no-weights: .*\*\.safetensors missing, found config\.json, tokenizer\.json/),
    });
  });

  it("of a model that is not there at all is an error that names the folder", async () => {
    await expect(material().folder(at("models/none"))).rejects.toMatchObject({
      name: "InvalidInputError",
      message: expect.stringContaining(at("models/none")),
    });
  });

  it("of a model has one weights' hash, wherever it lies", async () => {
    const expected = createHash("sha256")
      .update("model-00001-of-00002.safetensors\x005\0first")
      .update("model-00002-of-00002.safetensors\x006\0second");
    expect(await material().weightsHash(at("models/whole"))).toBe(expected.digest("hex"));
  });

  it("tells other weights from these by their fingerprint, and these again", async () => {
    const before = await material().fingerprint(at("models/whole"));
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    expect(await material().fingerprint(at("models/whole"))).toBe(before);
    await put("models/other/config.json", "{}");
    await put("models/other/tokenizer.json", "{}");
    await put("models/other/model-00001-of-00002.safetensors", "first");
    await put("models/other/model-00002-of-00002.safetensors", "tuned!");
    expect(await material().fingerprint(at("models/other"))).not.toBe(before);
  });
});

describe("a model in S3", () => {
  it("is downloaded once, and again only where its objects have changed", async () => {
    const cache = path.join(root, "cache-once");
    const material = new S3Material(stores.s3, cache);
    for (const [file, text] of Object.entries(MODEL)) await put(`models/changing/${file}`, text);
    const first = await material.folder(`s3://${BUCKET}/models/changing`);
    await writeFile(path.join(first, "mark"), "");
    expect(await material.folder(`s3://${BUCKET}/models/changing/`)).toBe(first);
    expect(await readdir(first)).toContain("mark");
    await put("models/changing/model-00001-of-00002.safetensors", "changed");
    const second = await material.folder(`s3://${BUCKET}/models/changing`);
    expect(second).not.toBe(first);
    expect(await readFile(path.join(second, "model-00001-of-00002.safetensors"), "utf8")).toBe("changed");
  });

  it("asked for by several at once is one whole folder, and nothing is left over", async () => {
    const cache = path.join(root, "cache-race");
    const ask = () => new S3Material(stores.s3, cache).folder(`s3://${BUCKET}/models/whole`);
    const folders = await Promise.all([ask(), ask(), ask()]);
    expect(new Set(folders).size).toBe(1);
    expect(await readdir(cache)).toHaveLength(1);
  });

  it("is not read from a bucket that is none", async () => {
    const material = new S3Material(stores.s3, path.join(root, "cache"));
    await expect(material.folder("s3://Not_A_Bucket/x")).rejects.toMatchObject({ code: "LOCATION_INVALID" });
    await expect(material.folder("s3://no-such-bucket/x")).rejects.toMatchObject({ name: "InvalidInputError" });
  });
});

describe("locations", () => {
  it("on this machine are refused where files may not be read", async () => {
    const material = new LocatedMaterial(new S3Material(stores.s3, path.join(root, "cache")), null);
    await expect(material.read(path.join(root, "data/private.jsonl"), 100)).rejects.toMatchObject({
      code: "LOCAL_FILES_REFUSED",
    });
    expect(await material.read(`s3://${BUCKET}/data/private.jsonl`, 100)).toHaveLength(13);
  });

  it("must be absolute", async () => {
    await expect(new FileMaterial().read("data/private.jsonl", 100)).rejects.toMatchObject({
      code: "LOCATION_RELATIVE",
    });
  });
});
