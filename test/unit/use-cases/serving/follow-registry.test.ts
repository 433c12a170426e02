import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { TransientError } from "../../../../shared/src/core/errors.ts";
import { type FollowedRegistry, followRegistry } from "../../../support/followed-registry.ts";
import { adapterPlace } from "../../../support/published-adapter.ts";

let place: FollowedRegistry;
beforeEach(async () => {
  place = await followRegistry();
});
afterEach(() => place.stop());

/** Takes an entry away, and looks as often as it takes to be believed. */
async function withdraw(party: string, run: string): Promise<void> {
  rmSync(join(adapterPlace(place.runs, { party, run }), "registry-entry.json"));
  await place.look();
  await place.look();
}

describe("a registry that is followed", () => {
  it("has its adapters served under their parties' ids, with what they came of", async () => {
    place.publish({ party: "ward", run: "first", second: 7 });
    await place.look();
    const [, adapter] = place.names.list();
    expect(adapter).toMatchObject({
      id: "ward",
      parent: "base",
      root: "first/adapters/ward/registry-entry.json",
      created: Date.UTC(2026, 5, 1) / 1000,
      lineage: { party: "ward", run: "first", rounds: 2, publishedAt: "2026-01-01T00:00:07.000Z" },
    });
    expect([...place.inference.loaded.keys()]).toEqual(["ward@first"]);
    expect(place.names.registry()).toEqual({ readAt: "2026-06-01T00:00:00.000Z", failure: null, refused: [] });
    expect([place.told, place.events]).toEqual([["info: adapter served ward@first"], ["taken"]]);
  });

  it("serves of each party the newest by the time of its entry, whatever the runs are called", async () => {
    place.publish({ party: "ward", run: "z", second: 1 });
    place.publish({ party: "ward", run: "a", second: 3, weight: 3 });
    place.publish({ party: "ward", run: "m", second: 2, weight: 2 });
    place.publish({ party: "harbour", run: "z", second: 1 });
    await place.look();
    expect(place.names.list().map(({ id, lineage }) => [id, lineage?.run])).toEqual([
      ["base", undefined],
      ["harbour", "z"],
      ["ward", "a"],
    ]);
    expect(place.inference.loads).toEqual(["harbour@z", "ward@a"]);
  });

  it("takes an entry without a time for older than all that have one; at the same time the run's name decides", async () => {
    place.publish({ party: "ward", run: "z", second: null });
    place.publish({ party: "ward", run: "a", second: 0 });
    place.publish({ party: "harbour", run: "a", second: 5 });
    place.publish({ party: "harbour", run: "b", second: 5 });
    place.publish({ party: "forest", run: "b", second: null });
    place.publish({ party: "forest", run: "a", second: null });
    await place.look();
    expect(["ward", "harbour", "forest"].map(place.runOf)).toEqual(["a", "b", "b"]);
  });

  it("goes over to a new adapter, and unloads the old one with its files", async () => {
    place.publish({ party: "ward", run: "first", second: 1 });
    await place.look();
    place.publish({ party: "ward", run: "second", second: 2, weight: 2 });
    await place.look();
    expect(place.runOf("ward")).toBe("second");
    await place.follower.settled();
    expect([...place.inference.loaded.keys()]).toEqual(["ward@second"]);
    const [own] = readdirSync(place.kept);
    expect(readdirSync(join(place.kept, own))).toEqual(["ward@second"]);
  });

  it("does nothing where nothing has changed, also where equal bytes were written again", async () => {
    place.publish({ party: "ward", run: "first" });
    await place.look();
    place.publish({ party: "ward", run: "first" });
    for (const _ of [1, 2, 3]) await place.look();
    expect(place.inference.loads).toEqual(["ward@first"]);
    expect(place.told).toHaveLength(1);
  });

  it("takes up a run that is published anew under its name, beside what it replaces", async () => {
    place.publish({ party: "ward", run: "first", second: 1 });
    await place.look();
    const pin = place.names.resolve("ward")!;
    place.publish({ party: "ward", run: "first", second: 2, weight: 2 });
    await place.look();
    expect(place.inference.loads).toEqual(["ward@first", "ward@first#2"]);
    expect(place.names.resolve("ward")).toMatchObject({ adapter: "ward@first#2" });
    expect(place.inference.loaded.has(pin.adapter!)).toBe(true);
    pin.release();
    await place.follower.settled();
    expect([...place.inference.loaded.keys()]).toEqual(["ward@first#2"]);
  });

  it("serves one party's alone where one is named", async () => {
    await place.stop();
    place = await followRegistry({ party: "ward" });
    place.publish({ party: "ward", run: "first" });
    place.publish({ party: "harbour", run: "first" });
    await place.look();
    expect(place.names.list().map(({ id }) => id)).toEqual(["base", "ward"]);
  });

  it("has a name vanish with its last entry, after a second look that misses it", async () => {
    const folder = place.publish({ party: "ward", run: "first" });
    await place.look();
    rmSync(folder, { recursive: true });
    await place.look();
    expect(place.runOf("ward")).toBe("first");
    await place.look();
    expect(place.names.resolve("ward")).toBeNull();
    await place.follower.settled();
    expect(place.inference.loaded.size).toBe(0);
    expect(place.told.at(-1)).toBe("warn: adapter withdrawn ward");
    expect(place.events).toEqual(["taken", "withdrawn"]);
  });

  it("stands a folder that is replaced, and is not there for a moment", async () => {
    const folder = place.publish({ party: "ward", run: "first" });
    await place.look();
    for (const _ of [1, 2]) {
      rmSync(folder, { recursive: true });
      await place.look();
      place.publish({ party: "ward", run: "first" });
      await place.look();
    }
    expect([place.runOf("ward"), place.inference.loads]).toEqual(["first", ["ward@first"]]);
  });

  it("is looked at until the signal, which gives up what is being fetched and is no failure to be told", async () => {
    const ending = new AbortController();
    const waits: number[] = [];
    await place.stop();
    place = await followRegistry({ wait: async (ms) => void waits.push(ms) });
    const { list } = place.registry;
    let looks = 0;
    place.registry.list = async (party, signal) => {
      if (++looks < 3) return list(party, signal);
      ending.abort();
      expect(signal.aborted).toBe(true);
      throw new TransientError("AWS_UNAVAILABLE", "given up");
    };
    await place.follower.follow(ending.signal);
    expect([looks, waits, place.told, place.names.registry().failure]).toEqual([3, [2000, 2000, 2000], [], null]);
  });

  it("lets look after look take its turn", async () => {
    place.publish({ party: "ward", run: "first" });
    await Promise.all([place.look(), place.look(), place.look()]);
    expect(place.inference.loads).toEqual(["ward@first"]);
  });
});

describe("rolling back by deleting an entry", () => {
  it("brings the one before back", async () => {
    place.publish({ party: "ward", run: "first", second: 1, losses: { texts: 2 } });
    place.publish({ party: "ward", run: "second", second: 2, losses: { texts: 1 }, weight: 2 });
    await place.look();
    expect(place.runOf("ward")).toBe("second");
    await withdraw("ward", "second");
    expect(place.runOf("ward")).toBe("first");
    await place.follower.settled();
    expect([...place.inference.loaded.keys()]).toEqual(["ward@first"]);
  });

  it("brings back what would be served had the deleted one never been", async () => {
    place.publish({ party: "ward", run: "first", second: 1, losses: { texts: 2 } });
    place.publish({ party: "ward", run: "second", second: 2, losses: { texts: 1 } });
    place.publish({ party: "ward", run: "third", second: 3, losses: { texts: 1.5 } });
    await place.look();
    expect([place.runOf("ward"), place.refused()]).toEqual(["second", ["third ADAPTER_WORSE"]]);
    await withdraw("ward", "second");
    expect([place.runOf("ward"), place.refused()]).toEqual(["third", []]);
  });

  it("passes over one before that cannot be used", async () => {
    place.publish({ party: "ward", run: "first", second: 1 });
    const broken = place.publish({ party: "ward", run: "second", second: 2, weight: 2 });
    place.publish({ party: "ward", run: "third", second: 3, weight: 3 });
    await place.look();
    rmSync(join(broken, "adapter_model.safetensors"));
    await withdraw("ward", "third");
    expect([place.runOf("ward"), place.refused()]).toEqual(["first", ["second FILE_MISSING"]]);
  });

  it("keeps what is served until the one before is loaded", async () => {
    place.publish({ party: "ward", run: "first", second: 1 });
    place.publish({ party: "ward", run: "second", second: 2, weight: 2 });
    await place.look();
    place.inference.isDown = true;
    await withdraw("ward", "second");
    expect(place.runOf("ward")).toBe("second");
    place.inference.isDown = false;
    place.clock.nowMs += 2000;
    await place.look();
    expect(place.runOf("ward")).toBe("first");
  });
});
