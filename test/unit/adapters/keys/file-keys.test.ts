import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { openFileKeys } from "../../../../shared/src/adapters/keys/file-keys.ts";

const documentOf = (...keys: string[]) =>
  JSON.stringify({
    version: 1,
    keys: keys.map((key) => ({ id: `of-${key}`, sha256: createHash("sha256").update(key).digest("hex") })),
  });

describe("the keys of a file", () => {
  let folder: string;
  let file: string;
  let warnings: Record<string, unknown>[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keys-"));
    file = join(folder, "keys.json");
    warnings = [];
    writeFileSync(file, documentOf("a"));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const open = () => openFileKeys(file, { warn: (_, facts) => warnings.push(facts) });
  const going = () => new AbortController().signal;

  it("are read again when it changes", async () => {
    const { find, look } = await open();
    expect(find("a")).toEqual({ id: "of-a" });
    expect(find("b")).toBeNull();
    writeFileSync(file, documentOf("b"));
    await look(going());
    expect([find("a"), find("b")]).toEqual([null, { id: "of-b" }]);
    expect(warnings).toEqual([]);
  });

  it("are read again where another file takes its place, as by a rename or behind a link", async () => {
    writeFileSync(join(folder, "second"), documentOf("b"));
    writeFileSync(join(folder, "third"), documentOf("c"));
    const { find, look } = await open();
    renameSync(join(folder, "second"), file);
    await look(going());
    expect(find("b")).not.toBeNull();
    symlinkSync("third", join(folder, "link"));
    renameSync(join(folder, "link"), file);
    await look(going());
    expect(find("c")).not.toBeNull();
  });

  it("hold on while it is broken or gone, which is said once each time", async () => {
    const { find, look } = await open();
    writeFileSync(file, "{");
    for (const _ of [1, 2]) await look(going());
    unlinkSync(file);
    for (const _ of [1, 2]) await look(going());
    expect(find("a")).toEqual({ id: "of-a" });
    expect(warnings.map(({ code }) => code)).toEqual(["DOCUMENT_INVALID", "FILE_MISSING"]);
    writeFileSync(file, documentOf("b"));
    await look(going());
    expect(find("b")).not.toBeNull();
  });

  it.each([
    ["changed", () => writeFileSync(file, documentOf("b"))],
    ["broken", () => writeFileSync(file, "{")],
  ])("do not change, and tell nothing, where the end comes while it is looked at and found %s", async (_, change) => {
    const { find, look } = await open();
    change();
    const ending = new AbortController();
    const looked = look(ending.signal);
    ending.abort();
    await looked;
    expect([find("a"), find("b"), warnings]).toEqual([{ id: "of-a" }, null, []]);
  });

  it.each([
    ["FILE_MISSING", () => unlinkSync(file)],
    [
      "FILE_MISSING",
      () => {
        unlinkSync(file);
        mkdirSync(file);
      },
    ],
    ["DOCUMENT_INVALID", () => writeFileSync(file, '{"version":1}')],
    ["FILE_TOO_LARGE", () => writeFileSync(file, " ".repeat(1024 * 1024 + 1))],
  ])("are refused at the start: %s", async (code, spoil) => {
    spoil();
    await expect(open()).rejects.toMatchObject({ name: "InvalidInputError", code });
  });
});
