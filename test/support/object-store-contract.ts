import { describe, expect, it } from "@jest/globals";
import type { ObjectStore } from "../../shared/src/ports/object-store.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const LIMIT = 1024;

/** What every adapter of the port must do. @param bucket - an empty bucket of the store */
export function describeObjectStore(name: string, store: () => ObjectStore, bucket: string): void {
  describe(`${name} as an object store`, () => {
    it("gives back what was put, byte for byte", async () => {
      const body = Uint8Array.from({ length: 256 }, (_, index) => index);
      await store().put(bucket, "same/bytes", body);
      expect(await store().get(bucket, "same/bytes", LIMIT)).toEqual(body);
    });

    it("keeps an empty object", async () => {
      await store().put(bucket, "empty", new Uint8Array());
      expect(await store().get(bucket, "empty", 0)).toEqual(new Uint8Array());
      expect(await store().head(bucket, "empty")).toMatchObject({ bytes: 0 });
    });

    it("replaces an object on the second put", async () => {
      await store().put(bucket, "replaced", bytes("first"));
      await store().put(bucket, "replaced", bytes("second"));
      expect(await store().get(bucket, "replaced", LIMIT)).toEqual(bytes("second"));
    });

    it("keeps its own copy of the bytes", async () => {
      const body = bytes("mine");
      await store().put(bucket, "copied", body);
      body.fill(0);
      const got = await store().get(bucket, "copied", LIMIT);
      expect(got).toEqual(bytes("mine"));
      got.fill(0);
      expect(await store().get(bucket, "copied", LIMIT)).toEqual(bytes("mine"));
    });

    it("carries an object longer than one part, of a length that parts do not divide", async () => {
      const body = new Uint8Array(17 * 1024 * 1024 + 3);
      for (let index = 0; index < body.length; index += 1021) body[index] = index % 251;
      await store().put(bucket, "parts", body);
      const got = await store().get(bucket, "parts", body.length);
      expect(Buffer.compare(got, body)).toBe(0);
      expect(await store().head(bucket, "parts")).toMatchObject({ bytes: body.length });
    });

    it("says of a missing object that it is missing, with its bucket and key", async () => {
      await expect(store().get(bucket, "not/there", LIMIT)).rejects.toMatchObject({
        name: "InvalidInputError",
        code: "OBJECT_MISSING",
        message: expect.stringContaining(`s3://${bucket}/not/there`),
      });
    });

    it("gives null for the head of a missing object", async () => {
      expect(await store().head(bucket, "not/there")).toBeNull();
    });

    it("refuses an object longer than the limit and takes one of just the limit", async () => {
      await store().put(bucket, "limited", new Uint8Array(10));
      expect(await store().get(bucket, "limited", 10)).toHaveLength(10);
      await expect(store().get(bucket, "limited", 9)).rejects.toMatchObject({
        name: "InvalidInputError",
        code: "OBJECT_TOO_LARGE",
        message: expect.stringMatching(/at most 9 bytes, it has 10/),
      });
    });

    it("writes conditionally where nothing is, and nothing where something is", async () => {
      expect(await store().putIfAbsent(bucket, "claim", bytes("first"))).toBe(true);
      expect(await store().putIfAbsent(bucket, "claim", bytes("second"))).toBe(false);
      expect(await store().get(bucket, "claim", LIMIT)).toEqual(bytes("first"));
    });

    it("lets exactly one of many conditional writers win", async () => {
      const writers = ["a", "b", "c", "d", "e", "f"];
      const won = await Promise.all(writers.map((name) => store().putIfAbsent(bucket, "race", bytes(name))));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await store().get(bucket, "race", LIMIT)).toEqual(bytes(writers[won.indexOf(true)]));
    });

    it("writes conditionally in parts, too", async () => {
      const large = new Uint8Array(9 * 1024 * 1024);
      expect(await store().putIfAbsent(bucket, "large-claim", large)).toBe(true);
      expect(await store().putIfAbsent(bucket, "large-claim", large.fill(1))).toBe(false);
      expect((await store().get(bucket, "large-claim", large.length))[0]).toBe(0);
    });

    it("lists the keys below a prefix in order, and no others", async () => {
      for (const key of ["list/b", "list/a/2", "list/a/1", "lists/c"]) await store().put(bucket, key, bytes(key));
      expect(await store().list(bucket, "list/")).toEqual(["list/a/1", "list/a/2", "list/b"]);
      expect(await store().list(bucket, "nothing/")).toEqual([]);
    });

    it("takes keys with +, = and spaces as they are", async () => {
      const key = "odd/standalone+public k=v/é.json";
      await store().put(bucket, key, bytes("odd"));
      expect(await store().get(bucket, key, LIMIT)).toEqual(bytes("odd"));
      expect(await store().list(bucket, "odd/")).toEqual([key]);
    });
  });
}
