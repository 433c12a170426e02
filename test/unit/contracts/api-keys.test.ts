import { describe, expect, it } from "@jest/globals";
import { API_KEY_PATTERN, apiKeys } from "../../../shared/src/contracts/api-keys.ts";

const HASH = "0123456789abcdef".repeat(4);
const OTHER = "f".repeat(64);
const key = { id: "ward", sha256: HASH };
const isAccepted = (...keys: object[]) => apiKeys.safeParse({ version: 1, keys }).success;

describe("the document of keys", () => {
  it("holds keys with all that limits them, and none at all", () => {
    expect(isAccepted()).toBe(true);
    const limits = { requestsPerMinute: 60, tokensPerMinute: 100_000, expiresAt: "2031-05-01T00:00:00Z", admin: true };
    expect(isAccepted({ ...key, ...limits })).toBe(true);
  });

  it("lets two keys of one holder overlap, and no hash stand there twice", () => {
    expect(isAccepted(key, { ...key, sha256: OTHER })).toBe(true);
    expect(isAccepted(key, { ...key, id: "harbour" })).toBe(false);
  });

  it.each([
    { id: "" },
    { id: "two words" },
    { id: "-ward" },
    { sha256: HASH.toUpperCase() },
    { sha256: HASH.slice(1) },
    { requestsPerMinute: 0 },
    { requestsPerMinute: 1.5 },
    { tokensPerMinute: -1 },
    { expiresAt: "tomorrow" },
    { expiresAt: "2031-05-01" },
    { admin: "yes" },
    { key: "fedmkt-secret" },
  ])("refuses %j", (wrong) => {
    expect(isAccepted({ ...key, ...wrong })).toBe(false);
  });
});

describe("a key", () => {
  it("is told by its beginning, so that a scanner finds one that was lost", () => {
    expect(API_KEY_PATTERN.test(`fedmkt-${Buffer.alloc(32, 255).toString("base64url")}`)).toBe(true);
    expect(API_KEY_PATTERN.test(Buffer.alloc(32).toString("base64url"))).toBe(false);
  });
});
