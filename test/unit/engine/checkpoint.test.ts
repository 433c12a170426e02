import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { openCheckpoint } from "../../../shared/src/engine/checkpoint.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../../shared/src/formats/safetensors.ts";
import { toyFolder, withModel } from "./toy-model.ts";

const INDEX = "model.safetensors.index.json";
const SHARDS = [
  "model-00001-of-00003.safetensors",
  "model-00002-of-00003.safetensors",
  "model-00003-of-00003.safetensors",
];
const IDS = Int32Array.of(1, 5, 9, 2);

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function newFolder(where = tmpdir()): string {
  const folder = mkdtempSync(join(where, "checkpoint-"));
  folders.push(folder);
  return folder;
}

function tensorsOf(folder: string): Record<string, Tensor> {
  const bytes = new Uint8Array(readFileSync(join(folder, "model.safetensors")));
  return Object.fromEntries(readSafetensors(bytes, "the toy model").tensors);
}

/** The toy model with its tensors under other names, or with others. */
function folderOf(change: (tensors: Record<string, Tensor>) => Record<string, Tensor>, config = {}): string {
  const folder = toyFolder(config);
  writeFileSync(join(folder, "model.safetensors"), writeSafetensors(change(tensorsOf(folder))));
  return folder;
}

/** The toy model in three files, tensor after tensor, with an index; `place` says where a file is written, and may link to it. */
function shardedFolder(place = (folder: string, name: string) => join(folder, name)): string {
  const folder = toyFolder();
  const tensors = Object.entries(tensorsOf(folder));
  rmSync(join(folder, "model.safetensors"));
  SHARDS.forEach((name, shard) => {
    const own = tensors.filter((_, index) => index % SHARDS.length === shard);
    writeFileSync(place(folder, name), writeSafetensors(Object.fromEntries(own)));
  });
  writeIndex(folder, Object.fromEntries(tensors.map(([name], index) => [name, SHARDS[index % SHARDS.length]])));
  return folder;
}

function writeIndex(folder: string, files: Record<string, unknown>): void {
  writeFileSync(join(folder, INDEX), JSON.stringify({ metadata: { total_size: 1 }, weight_map: files }));
}

const logits = (folder: string) => withModel({ folder, lora: null }, async (model) => [...(await model.logits(IDS))]);

function refusalOf(folder: string): { code: string; message: string } {
  try {
    openCheckpoint(folder);
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error("the checkpoint was opened");
}

describe("weights in several files", () => {
  it("give the same logits as in one", async () => {
    const folder = shardedFolder();
    expect(await logits(folder)).toEqual(await logits(toyFolder()));
    expect(openCheckpoint(folder).parameters).toBe(openCheckpoint(toyFolder()).parameters);
  });

  it("are read from the one file where both are there", async () => {
    const folder = shardedFolder();
    writeFileSync(join(folder, "model.safetensors"), readFileSync(join(toyFolder(), "model.safetensors")));
    for (const shard of SHARDS) rmSync(join(folder, shard));
    expect(openCheckpoint(folder).read("model.norm.weight")).toHaveLength(16);
  });

  it("need no file of which the model takes nothing", () => {
    const folder = shardedFolder();
    const { weight_map: files } = JSON.parse(readFileSync(join(folder, INDEX), "utf8"));
    writeIndex(folder, { ...files, "vision_tower.weight": "model-00009-of-00009.safetensors" });
    expect(openCheckpoint(folder).architecture.blocks).toBe(2);
  });

  it("are refused without one of their files, naming the file and a tensor", () => {
    const folder = shardedFolder();
    rmSync(join(folder, SHARDS[1]));
    expect(refusalOf(folder)).toMatchObject({
      code: "MODEL_FILE_MISSING",
      message: expect.stringMatching(
        /model-00002-of-00003\.safetensors: expected a file with the tensor model\.\S+, as model\.safetensors\.index\.json says, found none/,
      ),
    });
  });

  it("are refused where a file lacks what the index promises", () => {
    const folder = shardedFolder();
    writeFileSync(join(folder, SHARDS[0]), writeSafetensors({}));
    expect(refusalOf(folder)).toMatchObject({
      code: "MODEL_WEIGHTS_INVALID",
      message: expect.stringMatching(
        /model-00001-of-00003\.safetensors: expected the tensor model\.\S+, as .*, got no such/,
      ),
    });
  });

  it("are refused where the index lacks a tensor", () => {
    const folder = shardedFolder();
    const { weight_map: files } = JSON.parse(readFileSync(join(folder, INDEX), "utf8"));
    delete files["model.norm.weight"];
    writeIndex(folder, files);
    expect(refusalOf(folder)).toMatchObject({
      code: "MODEL_WEIGHTS_INVALID",
      message: `${join(folder, INDEX)}: tensor model.norm.weight: expected shape [16] as config.json says, got no such tensor`,
    });
  });

  it.each(["../model-00001-of-00003.safetensors", "/etc/passwd", "part/model-00001-of-00003.safetensors", "", 7, null])(
    "are refused where the index names the file %j",
    (file) => {
      const folder = shardedFolder();
      writeIndex(folder, { "model.norm.weight": file });
      expect(refusalOf(folder)).toMatchObject({
        code: "MODEL_WEIGHTS_INVALID",
        message: expect.stringMatching(
          /index\.json: weight_map: tensor "model\.norm\.weight": expected the name of a file such as .*, got /,
        ),
      });
    },
  );

  it.each([
    ["not JSON", "{", "expected JSON"],
    ["a list", "[]", "weight_map: expected an object"],
    ["without a map", "{}", "weight_map: expected an object"],
    ["with a tensor twice", '{"weight_map":{"a":"x","a":"y"}}', 'the key "a" occurs twice'],
    ["nested without end", "[".repeat(1000), "nested deeper than"],
    ["longer than any index", " ".repeat(33 * 1024 * 1024), "expected at most 33554432 bytes"],
  ])("are refused where the index is %s", (_, text, reason) => {
    const folder = shardedFolder();
    writeFileSync(join(folder, INDEX), text);
    expect(refusalOf(folder)).toMatchObject({
      code: "MODEL_WEIGHTS_INVALID",
      message: expect.stringContaining(reason),
    });
  });
});

describe("weights behind links", () => {
  /** A Hugging Face cache: snapshots/<revision>/<file> → ../../blobs/<hash>. */
  function cached(source: string, names: readonly string[]): string {
    const cache = newFolder();
    const snapshot = join(cache, "snapshots", "0f3c9a");
    mkdirSync(snapshot, { recursive: true });
    mkdirSync(join(cache, "blobs"));
    names.forEach((name, index) => {
      writeFileSync(join(cache, "blobs", `b10b${index}`), readFileSync(join(source, name)));
      symlinkSync(join("..", "..", "blobs", `b10b${index}`), join(snapshot, name));
    });
    return snapshot;
  }

  it("are read from a Hugging Face cache", async () => {
    const folder = toyFolder();
    const snapshot = cached(folder, ["config.json", "model.safetensors"]);
    expect(await logits(snapshot)).toEqual(await logits(folder));
  });

  it("are read from a Hugging Face cache in several files", async () => {
    const snapshot = cached(shardedFolder(), ["config.json", INDEX, ...SHARDS]);
    expect(await logits(snapshot)).toEqual(await logits(toyFolder()));
    const { folder } = openCheckpoint(snapshot);
    expect(folder).toBe(realpathSync(join(snapshot, "..", "..", "blobs")));
  });

  it("are read from several folders that have but a root in common", async () => {
    const elsewhere = [newFolder(), newFolder("/var/tmp"), newFolder()];
    const folder = shardedFolder((sharded, name) => {
      const place = join(elsewhere[SHARDS.indexOf(name)], "blob");
      symlinkSync(place, join(sharded, name));
      return place;
    });
    expect(await logits(folder)).toEqual(await logits(toyFolder()));
    for (const place of elsewhere)
      expect(relative(openCheckpoint(folder).folder, realpathSync(place))).not.toMatch(/^\.\./);
  });

  it("are refused where a link leads nowhere", () => {
    const folder = toyFolder({}, false);
    symlinkSync("../../blobs/gone", join(folder, "model.safetensors"));
    expect(refusalOf(folder)).toMatchObject({
      code: "MODEL_FILE_MISSING",
      message: `${join(folder, "model.safetensors")}: expected a file, found none`,
    });
  });
});

describe("tensors of a checkpoint", () => {
  it("are found without the base model's prefix", async () => {
    const folder = folderOf((tensors) =>
      Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name.replace(/^model\./, ""), tensor])),
    );
    expect(await logits(folder)).toEqual(await logits(toyFolder()));
  });

  it("that the model does not know are left alone", async () => {
    const buffer: Tensor = { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) };
    const folder = folderOf((tensors) => ({
      ...tensors,
      "model.layers.0.self_attn.rotary_emb.inv_freq": buffer,
      "model.layers.0.attn.masked_bias": { dtype: "U8", shape: [1], data: Uint8Array.of(1) },
    }));
    expect(await logits(folder)).toEqual(await logits(toyFolder()));
    expect(openCheckpoint(folder).parameters).toBe(openCheckpoint(toyFolder()).parameters);
  });

  it("have one head where it is tied, though the file holds it again", async () => {
    const folder = folderOf((tensors) => ({ ...tensors, "lm_head.weight": tensors["model.embed_tokens.weight"] }));
    expect(await logits(folder)).toEqual(await logits(toyFolder()));
  });

  it("are refused where a head that is tied has values of its own", () => {
    const folder = folderOf((tensors) => {
      const data = (tensors["model.embed_tokens.weight"].data as Float32Array).slice();
      data[data.length - 1] += 1;
      return { ...tensors, "lm_head.weight": { ...tensors["model.embed_tokens.weight"], data } as Tensor };
    });
    expect(refusalOf(folder)).toMatchObject({
      code: "MODEL_WEIGHTS_INVALID",
      message: expect.stringContaining(
        "model.safetensors: tensor lm_head.weight: expected the values of model.embed_tokens.weight, since config.json ties them",
      ),
    });
  });

  it("are refused where a head that is not tied is missing", () => {
    const folder = folderOf(({ "lm_head.weight": _, ...tensors }) => tensors, { tie_word_embeddings: false });
    expect(refusalOf(folder).message).toMatch(
      /tensor lm_head\.weight: expected shape \[29,16\] as config\.json says, got no such tensor$/,
    );
  });

  it("may be f32, f16 and bf16 beside each other", async () => {
    // whole eighths are the same number in all three
    const eighths = (tensor: Tensor) => Float32Array.from(tensor.data as Float32Array, (x) => Math.round(x * 8) / 8);
    const plain = folderOf((tensors) =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, ...tensor }]) => [
          name,
          { dtype: "F32", shape, data: eighths({ shape, ...tensor } as Tensor) },
        ]),
      ),
    );
    const mixed = folderOf(() =>
      Object.fromEntries(
        Object.entries(tensorsOf(plain)).map(([name, { shape, data }], index) => {
          const floats = data as Float32Array;
          const half = new Uint16Array(new Float16Array(floats).buffer);
          const brain = Uint16Array.from(new Uint32Array(floats.slice().buffer), (bits) => bits >>> 16);
          const kinds: Tensor[] = [
            { dtype: "F32", shape, data: floats },
            { dtype: "F16", shape, data: half },
            { dtype: "BF16", shape, data: brain },
          ];
          return [name, kinds[index % 3]];
        }),
      ),
    );
    expect(await logits(mixed)).toEqual(await logits(plain));
    for (const name of Object.keys(tensorsOf(plain)))
      expect(openCheckpoint(mixed).read(name)).toEqual(openCheckpoint(plain).read(name));
  });
});
