import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { S3Material, s3MaterialClient } from "../../../shared/src/adapters/aws/s3-material.ts";
import { S3ObjectStore } from "../../../shared/src/adapters/aws/s3-object-store.ts";
import { EitherMaterial } from "../../../shared/src/adapters/material/either-material.ts";
import { FileMaterial } from "../../../shared/src/adapters/material/file-material.ts";
import { LocatedMaterial, type MaterialSource } from "../../../shared/src/adapters/material/located-material.ts";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
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

async function put(name: string, content: string | Uint8Array): Promise<void> {
  await mkdir(path.dirname(path.join(root, name)), { recursive: true });
  await writeFile(path.join(root, name), content);
  await new S3ObjectStore(stores.s3).put(BUCKET, name, Buffer.from(content));
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

describe("a site's own bucket", () => {
  it("is read in the region where it lies, though the worker is told the coordinator's", async () => {
    const hosts: string[] = [];
    const handle = async ({ hostname }: { hostname: string }) => {
      hosts.push(hostname);
      const isThere = hostname.includes("eu-central-1");
      const headers = { "x-amz-bucket-region": "eu-central-1", ...(isThere ? { "content-length": "4" } : {}) };
      const redirect = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>";
      const body = Readable.from([Buffer.from(isThere ? "data" : redirect)]);
      return { response: { statusCode: isThere ? 200 : 301, headers, body } };
    };
    const client = s3MaterialClient({
      region: "us-east-1",
      credentials: { accessKeyId: "a", secretAccessKey: "b" },
      requestHandler: { handle } as never,
    });
    const bytes = await new S3Material(client, root).read("s3://ward-data/private.jsonl", 100);
    expect(Buffer.from(bytes).toString()).toBe("data");
    expect(hosts).toEqual(["ward-data.s3.us-east-1.amazonaws.com", "ward-data.s3.eu-central-1.amazonaws.com"]);
  });
});

describe("a model for another program", () => {
  it("is mirrored with the small files beside it, and without weights in other forms", async () => {
    const files = {
      ...MODEL,
      "tokenizer_config.json": "{}",
      "chat_template.jinja": "{{ messages }}",
      "merges.txt": "",
    };
    const heavy = ["pytorch_model.bin", "model.gguf", "onnx/model.onnx"];
    for (const [file, text] of Object.entries(files)) await put(`models/chat/${file}`, text);
    for (const file of heavy) await put(`models/chat/${file}`, "weights");
    const folder = path.join(root, "mirrored", "model");
    await new S3Material(stores.s3, root).mirror(`s3://${BUCKET}/models/chat`, folder);
    const { "README.md": _, ...expected } = files;
    expect((await readdir(folder)).sort()).toEqual(Object.keys(expected).sort());
    expect(await readFile(path.join(folder, "chat_template.jinja"), "utf8")).toBe("{{ messages }}");
    expect(await readdir(path.dirname(folder))).toEqual(["model"]);
  });

  it("is not fetched again where it is there, and leaves nothing where it cannot be fetched whole", async () => {
    const material = new S3Material(stores.s3, root);
    const folder = path.join(root, "there");
    await mkdir(folder);
    await material.mirror(`s3://${BUCKET}/models/whole`, folder);
    expect(await readdir(folder)).toEqual([]);
    const lacking = path.join(root, "lacking", "model");
    await expect(material.mirror(`s3://${BUCKET}/models/no-weights`, lacking)).rejects.toMatchObject({
      code: "MODEL_FILE_MISSING",
    });
    await expect(readdir(lacking)).rejects.toThrow("ENOENT");
  });
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
      message: expect.stringMatching(/no-weights: .*; model\.safetensors missing, found config\.json, tokenizer\.json/),
    });
  });

  it("of a model in several files without their index is an error that names it", async () => {
    await put("models/no-index/config.json", "{}");
    await put("models/no-index/tokenizer.json", "{}");
    await put("models/no-index/model-00001-of-00002.safetensors", "first");
    await expect(material().folder(at("models/no-index"))).rejects.toMatchObject({
      code: "MODEL_FILE_MISSING",
      message: expect.stringContaining("model.safetensors.index.json missing"),
    });
  });

  it("of a model is its one file of weights alone where others lie beside it", async () => {
    const files = { "config.json": "{}", "tokenizer.json": "{}", "model.safetensors": "all" };
    const others = { "consolidated.safetensors": "all again", "model-00001-of-00001.safetensors": "and again" };
    for (const [name, text] of Object.entries(files)) {
      await put(`models/alone/${name}`, text);
      await put(`models/beside/${name}`, text);
    }
    for (const [name, text] of Object.entries(others)) await put(`models/beside/${name}`, text);
    expect(await material().weightsHash(at("models/beside"))).toBe(await material().weightsHash(at("models/alone")));
    expect(await material().fingerprint(at("models/beside"))).toBe(await material().fingerprint(at("models/alone")));
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
    await put("models/other/model.safetensors.index.json", "{}");
    await put("models/other/model-00001-of-00002.safetensors", "first");
    await put("models/other/model-00002-of-00002.safetensors", "tuned!");
    expect(await material().fingerprint(at("models/other"))).not.toBe(before);
  });
});

describe("a model's fingerprint", () => {
  const MEBIBYTE = 1024 * 1024;
  /** bytes of which no two stretches are alike */
  const weights = (length: number) =>
    Uint8Array.from({ length }, (_, index) => (index * index * 31 + (index >> 7)) & 255);
  const fingerprints = async (folder: string) => [
    await new FileMaterial().fingerprint(path.join(root, folder)),
    await new S3Material(stores.s3, path.join(root, "cache")).fingerprint(`s3://${BUCKET}/${folder}`),
  ];

  it.each([0, 1, 4095, 4096, 4097, 262_144, 262_145, MEBIBYTE + 1])(
    "is the same on a disk and in S3 where its weights have %i bytes",
    async (length) => {
      const folder = `models/of-${length}`;
      await put(`${folder}/config.json`, "{}");
      await put(`${folder}/tokenizer.json`, "{}");
      await put(`${folder}/model.safetensors.index.json`, "{}");
      await put(`${folder}/model-00001-of-00002.safetensors`, weights(length));
      await put(`${folder}/model-00002-of-00002.safetensors`, "second");
      const [disk, s3] = await fingerprints(folder);
      expect(s3).toBe(disk);
    },
  );

  it.each([0, 700_000, MEBIBYTE - 20 * 1024])(
    "sees 20 KiB of another content from byte %i of a MiB on",
    async (offset) => {
      const [before, after] = [weights(MEBIBYTE), weights(MEBIBYTE)];
      after.fill(1, offset, offset + 20 * 1024);
      const found: string[][] = [];
      for (const bytes of [before, after]) {
        await put("models/tuned/config.json", "{}");
        await put("models/tuned/tokenizer.json", "{}");
        await put("models/tuned/model.safetensors", bytes);
        found.push(await fingerprints("models/tuned"));
      }
      expect(found[0][0]).toBe(found[0][1]);
      expect(found[1][0]).toBe(found[1][1]);
      expect(found[1][0]).not.toBe(found[0][0]);
    },
  );
});

describe("material below a data folder", () => {
  let data: FileMaterial;
  beforeAll(async () => {
    data = new FileMaterial(path.join(root, "site"));
    await put("site/private.jsonl", "mine\n");
    await put("site/models/whole/config.json", "{}");
    await put("site/models/whole/tokenizer.json", "{}");
    await put("site/models/whole/model.safetensors", "weights");
    await put("site/models/linked/config.json", "{}");
    await put("site/models/linked/tokenizer.json", "{}");
    await put("site..other/private.jsonl", "not below it");
    const link = (target: string, name: string) => symlink(path.join(root, target), path.join(root, "site", name));
    await link("site/private.jsonl", "inside.jsonl");
    await link("data/private.jsonl", "outside.jsonl");
    await link("data", "outside");
    await link("models/whole", "models/elsewhere");
    await link("models/whole/model-00001-of-00002.safetensors", "models/linked/model.safetensors");
  });

  it.each(["private.jsonl", "./models/../private.jsonl", "inside.jsonl"])(
    "is read by its relative path: %s",
    async (location) => {
      expect(Buffer.from(await data.read(location, 100)).toString()).toBe("mine\n");
    },
  );

  it("is read by its absolute path and URL too", async () => {
    const file = path.join(root, "site/private.jsonl");
    expect(await data.read(file, 100)).toHaveLength(5);
    expect(await data.read(pathToFileURL(file).href, 100)).toHaveLength(5);
  });

  it("can be a model folder", async () => {
    expect(await data.folder("models/whole")).toBe(await realpath(path.join(root, "site/models/whole")));
    expect(await data.fingerprint("models/whole")).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    "../data/private.jsonl",
    "../none-there.jsonl",
    "models/../../data/private.jsonl",
    "../site..other/private.jsonl",
    "outside.jsonl",
    "outside/private.jsonl",
    "/etc/hostname",
    "file:///etc/hostname",
  ])("is all that is read: not %s", async (location) => {
    await expect(data.read(location, 10_000)).rejects.toMatchObject({
      name: "InvalidInputError",
      code: "LOCATION_OUTSIDE",
      message: expect.stringContaining(location),
    });
  });

  it.each(["../models/whole", "models/elsewhere", "models/linked"])(
    "is all that a model is opened from: not %s, of which a part lies elsewhere",
    async (location) => {
      await expect(data.folder(location)).rejects.toMatchObject({ code: "LOCATION_OUTSIDE" });
      await expect(data.fingerprint(location)).rejects.toMatchObject({ code: "LOCATION_OUTSIDE" });
      await expect(data.weightsHash(location)).rejects.toMatchObject({ code: "LOCATION_OUTSIDE" });
    },
  );

  it("that is missing is named as the spec has it, not as this machine has it", async () => {
    await expect(data.read("none.jsonl", 100)).rejects.toMatchObject({
      code: "FILE_MISSING",
      message: expect.not.stringContaining(root),
    });
  });
});

describe("material that a worker's party may not read", () => {
  const answers = (answer: string | InvalidInputError): MaterialSource => {
    const say = async () => {
      if (answer instanceof InvalidInputError) throw answer;
      return answer;
    };
    return { read: async () => Buffer.from(await say()), folder: say, fingerprint: say };
  };
  const denied = (who: string) => new InvalidInputError("ACCESS_DENIED", `s3://site/x: ${who} is denied`);
  const missing = new InvalidInputError("OBJECT_MISSING", "s3://site/x: none");

  it.each([
    { name: "is read by the worker itself", first: denied("the party"), second: "mine", expected: "mine" },
    { name: "and that both may read is read as the party", first: "theirs", second: "mine", expected: "theirs" },
  ])("$name", async ({ first, second, expected }) => {
    const material = new EitherMaterial(answers(first), answers(second));
    expect(Buffer.from(await material.read("s3://site/x", 10)).toString()).toBe(expected);
    expect(await material.folder("s3://site/x")).toBe(expected);
    expect(await material.fingerprint("s3://site/x")).toBe(expected);
  });

  it.each([
    {
      name: "nor the worker is denied to the party",
      first: denied("the party"),
      second: denied("the worker"),
      told: "the party is denied",
    },
    { name: "and that is not there says so", first: denied("the party"), second: missing, told: "none" },
    { name: "but is simply missing is not asked for twice", first: missing, second: "mine", told: "none" },
  ])("$name", async ({ first, second, told }) => {
    const material = new EitherMaterial(answers(first), answers(second));
    await expect(material.read("s3://site/x", 10)).rejects.toThrow(told);
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
