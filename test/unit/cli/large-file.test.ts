import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { readWhole, writeWhole } from "../../../cli/src/large-file.ts";

describe("a file that is written whole or not at all", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "large-file-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("takes another's place, and is read as it was written", () => {
    const file = join(folder, "file");
    writeWhole(file, Uint8Array.of(1));
    writeWhole(file, Uint8Array.of(2, 3));
    expect([...readWhole(file)]).toEqual([2, 3]);
    expect([...readFileSync(file)]).toEqual([2, 3]);
    expect(readdirSync(folder)).toEqual(["file"]);
  });

  it("leaves nothing beside where it cannot take its place", () => {
    mkdirSync(join(folder, "file/full"), { recursive: true });
    expect(() => writeWhole(join(folder, "file"), Uint8Array.of(1))).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(folder)).toEqual(["file"]);
  });
});
