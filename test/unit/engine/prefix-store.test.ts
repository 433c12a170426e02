import { describe, expect, it } from "@jest/globals";
import type { Architecture } from "../../../shared/src/engine/architectures/architecture.ts";
import { PrefixStore } from "../../../shared/src/engine/prefix-store.ts";

const ARCHITECTURE = { blocks: 1, attention: { heads: 1, keyValueHeads: 1, headSize: 2 } } as Architecture;
/** Keys and values of 16 tokens, 4 bytes each. */
const BLOCK_BYTES = 2 * 2 * 16 * 4;

/** Tokens from `begin` on, one after the other. */
const run = (begin: number, length: number) => Int32Array.from({ length }, (_, index) => begin + index);
const join = (...parts: Int32Array[]) => Int32Array.from(parts.flatMap((part) => [...part]));

/** A store, and a way to keep texts in it: what is read of them is marked by their first token and its place. */
function storeOf(blocks: number) {
  const store = new PrefixStore<{ name: string }>(ARCHITECTURE, blocks * BLOCK_BYTES + BLOCK_BYTES / 2);
  const reads: number[] = [];
  const keep = (tokens: Int32Array, adapter: { name: string } | null = null) =>
    store.keep(adapter, tokens, (first, count) => {
      reads.push(first);
      return Float32Array.of(tokens[0], first, count);
    });
  return { store, keep, reads };
}

describe("the store of texts' beginnings", () => {
  it("knows the longest beginning, to the token, of whatever was kept in whole blocks", () => {
    const { store, keep } = storeOf(10);
    keep(run(0, 40));
    expect(store.tokens).toBe(32);
    expect(store.find(null, run(0, 50)).tokens).toBe(32);
    expect(store.find(null, join(run(0, 21), run(900, 9)))).toEqual({
      tokens: 21,
      parts: [
        { data: Float32Array.of(0, 0, 16), tokens: 16 },
        { data: Float32Array.of(0, 16, 16), tokens: 5 },
      ],
    });
    expect(store.find(null, run(0, 3)).tokens).toBe(3);
    expect(store.find(null, run(1, 40))).toEqual({ tokens: 0, parts: [] });
  });

  it("keeps once what several texts begin with", () => {
    const { store, keep, reads } = storeOf(10);
    keep(join(run(0, 32), run(100, 16)));
    keep(join(run(0, 32), run(200, 16)));
    expect(reads).toEqual([0, 16, 32, 32]);
    expect(store.tokens).toBe(4 * 16);
    expect(store.find(null, join(run(0, 32), run(200, 20))).tokens).toBe(48);
  });

  it("takes of several that follow the one that is alike for longest", () => {
    const { store, keep } = storeOf(10);
    keep(join(run(0, 4), run(100, 12)));
    keep(join(run(0, 9), run(200, 7)));
    keep(join(run(0, 6), run(300, 10)));
    expect(store.find(null, run(0, 30)).tokens).toBe(9);
  });

  it("tells adapters apart, and forgets one without the others", () => {
    const { store, keep } = storeOf(10);
    const adapter = { name: "a" };
    keep(run(0, 32), adapter);
    keep(run(0, 16));
    expect(store.find({ name: "a" }, run(0, 32)).tokens).toBe(0);
    expect(store.find(adapter, run(0, 32)).tokens).toBe(32);
    store.forget(adapter);
    expect(store.find(adapter, run(0, 32)).tokens).toBe(0);
    expect(store.find(null, run(0, 32)).tokens).toBe(16);
    expect(store.tokens).toBe(16);
    store.clear();
    expect(store.tokens).toBe(0);
    expect(store.find(null, run(0, 32)).tokens).toBe(0);
  });

  it("gives up what was not used for longest, ends first", () => {
    const { store, keep } = storeOf(4);
    const [old, used] = [run(0, 32), run(1000, 32)];
    keep(old);
    keep(used);
    store.find(null, old);
    keep(run(2000, 16));
    expect(store.tokens).toBe(64);
    expect(store.find(null, used).tokens).toBe(16);
    expect(store.find(null, old).tokens).toBe(32);
    keep(run(3000, 16));
    keep(run(4000, 16));
    expect(store.find(null, run(2000, 16)).tokens).toBe(0);
    expect(store.find(null, old).tokens).toBe(32);
    expect(store.tokens).toBe(64);
  });

  it("never gives up what a text that is being kept begins with", () => {
    const { store, keep } = storeOf(2);
    keep(run(0, 16));
    keep(run(0, 100));
    expect(store.find(null, run(0, 100)).tokens).toBe(32);
    expect(store.tokens).toBe(32);
  });

  it("keeps nothing where there is no room", () => {
    const { store, keep, reads } = storeOf(0);
    keep(run(0, 64));
    expect([store.tokens, reads]).toEqual([0, []]);
  });
});
