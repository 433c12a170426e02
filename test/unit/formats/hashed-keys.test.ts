import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { HashedKeys } from "../../../shared/src/formats/hashed-keys.ts";

const hash = (key: string) => createHash("sha256").update(key).digest("hex");
const END = "2026-06-01T00:00:00.000Z";
const endMs = Date.parse(END);

const keys = new HashedKeys({
  version: 1,
  keys: [
    { id: "ward", sha256: hash("old"), expiresAt: END },
    { id: "ward", sha256: hash("new"), requestsPerMinute: 3 },
    { id: "operator", sha256: hash("other"), admin: true },
  ],
});

describe("hashed keys", () => {
  it("know a holder by the key, and tell neither hash nor end", () => {
    expect(keys.find("new", endMs)).toEqual({ id: "ward", requestsPerMinute: 3 });
    expect(keys.find("other", endMs)).toEqual({ id: "operator", admin: true });
  });

  it("hold until their end, so that two of one holder hold beside each other", () => {
    expect(keys.find("old", endMs - 1)).toEqual({ id: "ward" });
    expect(keys.find("old", endMs)).toBeNull();
  });

  it("know nobody by another text, or by the hash itself", () => {
    for (const presented of ["", "ne", "new ", "NEW", hash("new")]) expect(keys.find(presented, 0)).toBeNull();
    expect(new HashedKeys({ version: 1, keys: [] }).find("new", 0)).toBeNull();
  });
});
