import { createHash } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { openFileKeys } from "../../../../shared/src/adapters/keys/file-keys.ts";
import type { KeyChain } from "../../../../shared/src/ports/key-chain.ts";
import { until } from "../../../support/serving/started-layer.ts";

const documentOf = (...keys: string[]) =>
  JSON.stringify({
    version: 1,
    keys: keys.map((key) => ({ id: `of-${key}`, sha256: createHash("sha256").update(key).digest("hex") })),
  });

describe("the keys of a file", () => {
  let folder: string;
  let file: string;
  let keys: KeyChain | null;
  let warnings: Record<string, unknown>[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keys-"));
    file = join(folder, "keys.json");
    keys = null;
    warnings = [];
    writeFileSync(file, documentOf("a"));
  });

  afterEach(() => {
    keys?.close();
    rmSync(folder, { recursive: true });
  });

  const open = async () => {
    keys = await openFileKeys(file, { warn: (_, facts) => warnings.push(facts), lookEveryMs: 5 });
    return keys;
  };

  it("are read again when it changes", async () => {
    const { find } = await open();
    expect(find("a")).toEqual({ id: "of-a" });
    expect(find("b")).toBeNull();
    writeFileSync(file, documentOf("b"));
    await until(() => find("b") !== null);
    expect(find("a")).toBeNull();
    expect(warnings).toEqual([]);
  });

  it("are read again where another file takes its place, as by a rename or behind a link", async () => {
    writeFileSync(join(folder, "second"), documentOf("b"));
    writeFileSync(join(folder, "third"), documentOf("c"));
    const { find } = await open();
    renameSync(join(folder, "second"), file);
    await until(() => find("b") !== null);
    symlinkSync("third", join(folder, "link"));
    renameSync(join(folder, "link"), file);
    await until(() => find("c") !== null);
  });

  it("hold on while it is broken or gone, which is said once each time", async () => {
    const { find } = await open();
    writeFileSync(file, "{");
    await until(() => warnings.length === 1);
    unlinkSync(file);
    await until(() => warnings.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(find("a")).toEqual({ id: "of-a" });
    expect(warnings.map(({ code }) => code)).toEqual(["DOCUMENT_INVALID", "FILE_MISSING"]);
    writeFileSync(file, documentOf("b"));
    await until(() => find("b") !== null);
  });

  it("do not change any more once they are closed", async () => {
    const { find, close } = await open();
    close();
    writeFileSync(file, documentOf("b"));
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(find("a")).toEqual({ id: "of-a" });
  });

  it.each([
    ["FILE_MISSING", () => unlinkSync(file)],
    ["DOCUMENT_INVALID", () => writeFileSync(file, '{"version":1}')],
    ["FILE_TOO_LARGE", () => writeFileSync(file, " ".repeat(1024 * 1024 + 1))],
  ])("are refused at the start: %s", async (code, spoil) => {
    spoil();
    await expect(open()).rejects.toMatchObject({ name: "InvalidInputError", code });
  });
});
