import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { KeyStore } from "../../../cli/src/keys/key-store.ts";
import { API_KEY_PATTERN, type ApiKeys } from "../../../shared/src/contracts/api-keys.ts";
import { callCli, remove } from "../../support/cli.ts";

const NOW = Date.parse("2031-05-01T12:00:00Z");
const HOUR_MS = 3_600_000;
const at = (ms: number) => new Date(ms).toISOString();
const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");

describe("fedmkt keys", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fedmkt-keys-"));
  });
  afterEach(() => remove(folder));

  const call = (...words: string[]) => callCli(folder, ["keys", ...words, "--keys", "keys.json"], { nowMs: () => NOW });
  const made = async (...words: string[]) => {
    const { exitCode, stdout, stderr } = await call(...words);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringContaining("shown once") });
    return stdout.trim();
  };
  const stored = () => JSON.parse(readFileSync(join(folder, "keys.json"), "utf8")) as ApiKeys;

  it("shows a new key once, alone on standard output, and keeps its hash in a file for the owner alone", async () => {
    const key = await made("add", "ward");
    expect(key).toMatch(API_KEY_PATTERN);
    expect(stored()).toEqual({ version: 1, keys: [{ id: "ward", sha256: hashOf(key) }] });
    expect(statSync(join(folder, "keys.json")).mode & 0o777).toBe(0o600);
    expect(existsSync(join(folder, "keys.json.next"))).toBe(false);
    expect(await made("add", "harbour")).not.toBe(key);
    expect(stored().keys.map(({ id }) => id)).toEqual(["ward", "harbour"]);
  });

  it("notes what limits a key and when it ends", async () => {
    const limits = ["--requests-per-minute", "60", "--tokens-per-minute", "90000", "--admin"];
    await made("add", "ward", ...limits, "--expires", "90d");
    await made("add", "quay", "--expires", "2031-06-01");
    expect(stored().keys).toEqual([
      {
        ...{ id: "ward", sha256: expect.any(String), requestsPerMinute: 60, tokensPerMinute: 90_000, admin: true },
        expiresAt: at(NOW + 90 * 24 * HOUR_MS),
      },
      { id: "quay", sha256: expect.any(String), expiresAt: "2031-06-01T00:00:00.000Z" },
    ]);
  });

  it("lists keys without what would let anybody in", async () => {
    expect((await call("list")).stdout).toBe("no keys in keys.json; fedmkt keys add ID makes one\n");
    const key = await made("add", "ward", "--requests-per-minute", "60", "--expires", "1h");
    await made("add", "quay", "--admin");
    const hashes = stored().keys.map(({ sha256 }) => sha256.slice(0, 12));
    expect((await call("list")).stdout).toBe(
      `ward: ends ${at(NOW + HOUR_MS)}; 60 requests/minute; hash ${hashes[0]}…\nquay: does not end; admin; hash ${hashes[1]}…\n`,
    );
    const { stdout } = await call("list", "--json");
    expect(JSON.parse(stdout).data[0]).toEqual({
      ...{ id: "ward", hash: hashes[0], expired: false, requestsPerMinute: 60, expiresAt: at(NOW + HOUR_MS) },
    });
    for (const secret of [key, hashOf(key)]) expect(stdout).not.toContain(secret);
    const later = await callCli(folder, ["keys", "list", "--keys", "keys.json"], { nowMs: () => NOW + HOUR_MS });
    expect(later.stdout).toContain(`ward: ended ${at(NOW + HOUR_MS)}`);
  });

  it("replaces a key by one with its limits; both hold until the overlap is over", async () => {
    const first = await made("add", "ward", "--requests-per-minute", "60", "--admin", "--expires", "90d");
    await made("add", "quay");
    const second = await made("rotate", "ward");
    expect(stored().keys).toEqual([
      {
        ...{ id: "ward", sha256: hashOf(first), requestsPerMinute: 60, admin: true },
        expiresAt: at(NOW + 24 * HOUR_MS),
      },
      { id: "quay", sha256: expect.any(String) },
      { id: "ward", sha256: hashOf(second), requestsPerMinute: 60, admin: true },
    ]);
    const third = await made("rotate", "ward", "--overlap", "0s", "--requests-per-minute", "10", "--expires", "30d");
    expect(stored().keys.slice(1)).toEqual([
      {
        ...{ id: "ward", sha256: hashOf(third), requestsPerMinute: 10, admin: true },
        expiresAt: at(NOW + 720 * HOUR_MS),
      },
    ]);
  });

  it("never lets a key live longer for being replaced", async () => {
    await made("add", "ward", "--expires", "1h");
    await made("rotate", "ward", "--overlap", "7d");
    expect(stored().keys[0].expiresAt).toBe(at(NOW + HOUR_MS));
  });

  it("removes every key of a holder, and no other", async () => {
    await made("add", "ward");
    await made("rotate", "ward");
    await made("add", "quay");
    expect(await call("remove", "ward")).toMatchObject({
      exitCode: 0,
      stdout: "ward: has no key any more; a running fedmkt serve takes the change up\n",
    });
    expect(stored().keys.map(({ id }) => id)).toEqual(["quay"]);
  });

  it("refuses a second key by add, and ids that nobody has", async () => {
    await made("add", "ward");
    const before = stored();
    expect(await call("add", "ward")).toMatchObject({
      exitCode: 2,
      stdout: "",
      stderr: expect.stringContaining("KEY_EXISTS"),
    });
    for (const action of ["rotate", "remove"])
      expect(await call(action, "wrd")).toMatchObject({
        exitCode: 2,
        stderr: "InvalidInputError (KEY_UNKNOWN): keys.json: expected one of its ids (ward), got wrd\n",
      });
    expect(stored()).toEqual(before);
    expect(existsSync(join(folder, "keys.json.next"))).toBe(false);
  });

  it("leaves alone a file that another one changes, and one that is no document of keys", async () => {
    writeFileSync(join(folder, "keys.json.next"), "");
    expect(await call("add", "ward")).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("KEYS_IN_USE") });
    remove(join(folder, "keys.json.next"));
    writeFileSync(join(folder, "keys.json"), '{"version":1,"keys":[{"id":"ward","key":"fedmkt-plain"}]}');
    for (const words of [["add", "quay"], ["list"]])
      expect(await call(...words)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("DOCUMENT_INVALID") });
    expect(readFileSync(join(folder, "keys.json"), "utf8")).toContain("fedmkt-plain");
    writeFileSync(join(folder, "keys.json"), Buffer.alloc(1024 * 1024 + 1, " "));
    expect(await call("list")).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("FILE_TOO_LARGE") });
    expect(await callCli(folder, ["keys", "add", "ward", "--keys", "none/keys.json"])).toMatchObject({
      ...{ exitCode: 2, stderr: expect.stringContaining("ACCESS_DENIED") },
    });
  });

  it.each([
    [["ad", "ward"], "expected add, list, rotate, remove"],
    [["add"], "expected ID"],
    [["add", "two words"], "at most 63"],
    [["list", "ward"], "expected no ID"],
    [["remove", "ward", "--overlap", "1h"], "--overlap is for rotate alone"],
    [["list", "--admin"], "--admin is for add alone"],
    [["rotate", "ward", "--admin"], "--admin is for add alone"],
    [["add", "ward", "--requests-per-minute", "0"], "--requests-per-minute"],
    [["add", "ward", "--tokens-per-minute", "many"], "--tokens-per-minute"],
    [["add", "ward", "--expires", "soon"], "such as 24h"],
    [["add", "ward", "--expires", "2031-13-01"], "a time to come"],
    [["add", "ward", "--expires", "2031-05-01"], "a time to come"],
    [["add", "ward", "--expires", "99999d"], "at most 3650d"],
    [["rotate", "ward", "--overlap", "1 day"], "such as 24h"],
  ])("refuses %j", async (words, message) => {
    const { exitCode, stderr } = await call(...words);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(message) });
    expect(existsSync(join(folder, "keys.json"))).toBe(false);
  });

  it("does the same to a secret, and wants one place", async () => {
    let document: ApiKeys = { version: 1, keys: [] };
    const store: KeyStore = {
      place: "fedmkt-dev-keys",
      read: async () => document,
      change: async (update) => {
        document = update(document);
      },
    };
    const openKeySecret = async (secret: string) => {
      expect(secret).toBe("fedmkt-dev-keys");
      return store;
    };
    const words = ["keys", "add", "ward", "--secret", "fedmkt-dev-keys"];
    const { stdout, stderr } = await callCli(folder, words, { openKeySecret });
    expect(document.keys).toEqual([{ id: "ward", sha256: hashOf(stdout.trim()) }]);
    expect(stderr).toContain("endpoints take the change up within a minute");
    for (const places of [[], ["--keys", "keys.json", "--secret", "fedmkt-dev-keys"]])
      expect(await callCli(folder, ["keys", "list", ...places], { openKeySecret })).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining("expected one of --keys and --secret"),
      });
  });
});
