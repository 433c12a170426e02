import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { FileMaterial } from "../../../../shared/src/adapters/material/file-material.ts";
import { InvalidInputError } from "../../../../shared/src/core/errors.ts";
import { NameTable } from "../../../../shared/src/use-cases/serving/name-table.ts";
import { NamedByHand } from "../../../../shared/src/use-cases/serving/runtime-adapters.ts";
import { AdapterHolder } from "../../../support/adapter-holder.ts";
import { publishInFolder } from "../../../support/published-adapter.ts";

let root: string;
let elsewhere: string;
let inference: AdapterHolder;
let names: NameTable;
let byHand: NamedByHand;
let told: string[];
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "fedmkt-by-hand-"));
  elsewhere = publishInFolder(mkdtempSync(join(tmpdir(), "fedmkt-elsewhere-")), { party: "ward", run: "first" });
  publishInFolder(root, { party: "ward", run: "first" });
  publishInFolder(root, { party: "ward", run: "second", weight: 2 });
  inference = new AdapterHolder();
  names = new NameTable(inference, await inference.describe(), () => 0);
  told = [];
  const tell = (message: string) => told.push(message);
  byHand = new NamedByHand(names, new FileMaterial(root), root, { info: tell, warn: tell });
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(join(elsewhere, "../../.."), { recursive: true, force: true });
});

const FIRST = "first/adapters/ward";
const SECOND = "second/adapters/ward";
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

describe("an adapter that an operator loads", () => {
  it("is served under its name, from a folder below the root, whole or relative", async () => {
    await byHand.load("mine", FIRST, false);
    await byHand.load("other", join(root, SECOND), false);
    expect(names.list().map(({ id, root: folder, lineage }) => [id, folder, lineage])).toEqual([
      ["base", "base", null],
      ["mine", join(root, FIRST), null],
      ["other", join(root, SECOND), null],
    ]);
  });

  it("replaces another one where that is asked for, without breaking an answer", async () => {
    await byHand.load("mine", FIRST, false);
    const pin = names.resolve("mine")!;
    await byHand.load("mine", SECOND, true);
    expect(names.resolve("mine")?.adapter).toBe("mine#2");
    expect(inference.loaded.has(pin.adapter!)).toBe(true);
    pin.release();
    await settled();
    expect([...inference.loaded.keys()]).toEqual(["mine#2"]);
  });

  it("is refused as vLLM does where the name is in use", async () => {
    await byHand.load("mine", FIRST, false);
    await expect(byHand.load("mine", SECOND, false)).rejects.toMatchObject({
      ...{ code: "NAME_TAKEN", status: 400, type: "InvalidUserInput" },
      message: expect.stringContaining("The lora adapter 'mine' has already been loaded."),
    });
    await expect(byHand.load("base", SECOND, true)).rejects.toMatchObject({ code: "NAME_TAKEN", status: 400 });
    expect(inference.loads).toEqual(["mine"]);
  });

  it("is refused where another call was quicker, and unloaded", async () => {
    const [one, other] = await Promise.allSettled([
      byHand.load("mine", FIRST, false),
      byHand.load("mine", SECOND, false),
    ]);
    expect([one.status, other.status].sort()).toEqual(["fulfilled", "rejected"]);
    await settled();
    expect(inference.loaded.size).toBe(1);
  });

  it.each([
    ["no folder", "nowhere"],
    ["a folder without an adapter", "first"],
    ["a path that leads out of the root", "../elsewhere"],
  ])("is not found in %s", async (_, folder) => {
    await expect(byHand.load("mine", folder, false)).rejects.toMatchObject({
      ...{ code: "ADAPTER_UNKNOWN", status: 404, type: "NotFoundError", message: `No adapter found for '${folder}'.` },
    });
    expect(inference.loads).toEqual([]);
  });

  it("is not found elsewhere on the machine, nor by a link that leads there", async () => {
    symlinkSync(elsewhere, join(root, "link"));
    for (const folder of [elsewhere, "link"])
      await expect(byHand.load("mine", folder, false)).rejects.toMatchObject({ code: "ADAPTER_UNKNOWN", status: 404 });
  });

  it("is refused with the reason where it does not fit", async () => {
    inference.onLoad = async () => {
      throw new InvalidInputError("ADAPTER_INVALID", "expected rank 8, got 16");
    };
    await expect(byHand.load("mine", FIRST, false)).rejects.toMatchObject({
      ...{ code: "ADAPTER_INVALID", status: 400, type: "InvalidUserInput", message: "expected rank 8, got 16" },
    });
    expect(names.has("mine")).toBe(false);
  });

  it("waits for another time where what computes does not answer", async () => {
    inference.isDown = true;
    await expect(byHand.load("mine", FIRST, false)).rejects.toMatchObject({ name: "TransientError" });
  });

  it("vanishes when it is unloaded, and is then not found", async () => {
    await byHand.load("mine", FIRST, false);
    await byHand.unload("mine");
    expect(names.has("mine")).toBe(false);
    await settled();
    expect(inference.loaded.size).toBe(0);
    await expect(byHand.unload("mine")).rejects.toMatchObject({
      ...{ code: "ADAPTER_UNKNOWN", status: 404, type: "NotFoundError" },
      message: "The lora adapter 'mine' cannot be found.",
    });
    await expect(byHand.unload("base")).rejects.toMatchObject({ status: 404 });
  });

  it("says so where it could not be unloaded", async () => {
    await byHand.load("mine", FIRST, false);
    inference.isDown = true;
    await byHand.unload("mine");
    await settled();
    expect(told).toEqual(["adapter not unloaded"]);
  });

  it("never touches a registry's", async () => {
    const lineage = { party: "ward", run: "r", rounds: 1, specHash: "", publishedAt: null, baseWeights: "" };
    names.serve("ward", await names.load("ward", join(root, FIRST)), { root: "key", lineage });
    await expect(byHand.load("ward", SECOND, true)).rejects.toMatchObject({ code: "NAME_TAKEN", status: 400 });
    await expect(byHand.unload("ward")).rejects.toMatchObject({ code: "NAME_TAKEN", status: 400 });
    expect(names.resolve("ward")?.adapter).toBe("ward");
  });
});
