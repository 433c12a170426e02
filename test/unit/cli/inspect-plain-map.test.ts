import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { callCli, remove, write } from "../../support/cli.ts";
import { characterTokenizerJson } from "../../support/tiny-tokenizers.ts";

const folder = mkdtempSync(join(tmpdir(), "fedmkt-inspect-"));
afterAll(() => remove(folder));

// <unk>, <s>, </s>, ▁, a, b
const tokenizer = JSON.stringify(characterTokenizerJson("ab"));
write(folder, "small.json", tokenizer);
const named = `small.json (SHA-256 ${sha256(new TextEncoder().encode(tokenizer))})`;
const entries = [
  [0, 0],
  [-1, 0],
  [2, 0],
  [3, 0],
  [5, 1],
  [4, 3],
];
write(folder, "map.json", JSON.stringify({ rule: "reference", source: named, target: "other.json", entries }));

describe("fedmkt inspect, of a vocabulary map in JSON,", () => {
  it("says how many tokens are mapped, how far, and which go farthest", async () => {
    const { exitCode, stdout } = await callCli(folder, ["inspect", "map.json", "--tokenizer", "small.json"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("vocabulary map");
    expect(stdout).toMatch(/rule +reference/);
    expect(stdout).toMatch(/mapped +5 \(83\.3 %\)/);
    expect(stdout).toContain('5 "b" → 4 (3 edits)\n    4 "a" → 5 (1 edit)');
    const json = await callCli(folder, ["inspect", "map.json", "--json"]);
    expect(JSON.parse(json.stdout).data.details.tokens).toEqual([
      { source: 5, target: 4, distance: 3 },
      { source: 4, target: 5, distance: 1 },
    ]);
  });

  it("shows one token with --sample, and refuses one that is not there", async () => {
    const nowhere = await callCli(folder, ["inspect", "map.json", "--sample", "1"]);
    expect(nowhere.stdout).toContain("1 → nowhere (0 edits)");
    const beyond = await callCli(folder, ["inspect", "map.json", "--sample", "6"]);
    expect(beyond).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("map.json: --sample") });
  });

  it("refuses a broken one by its place", async () => {
    write(folder, "broken.json", JSON.stringify({ rule: "reference", source: "a", target: "b", entries: [[0]] }));
    const broken = await callCli(folder, ["inspect", "broken.json"]);
    expect(broken).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("entries[0]: expected") });
  });
});
