import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "@jest/globals";
import { NameTable } from "../../../../shared/src/use-cases/serving/name-table.ts";
import { AdapterHolder } from "../../../support/adapter-holder.ts";
import { type FollowedRegistry, followRegistry, weightsOf } from "../../../support/followed-registry.ts";
import { publishInFolder } from "../../../support/published-adapter.ts";

const runs = mkdtempSync(join(tmpdir(), "fedmkt-names-"));
afterAll(() => rmSync(runs, { recursive: true, force: true }));
const FIRST = publishInFolder(runs, { party: "ward", run: "first" });
const SECOND = publishInFolder(runs, { party: "ward", run: "second", weight: 2 });
const BY_HAND = { root: FIRST, lineage: null };

let inference: AdapterHolder;
let names: NameTable;
beforeEach(async () => {
  inference = new AdapterHolder();
  names = new NameTable(inference, await inference.describe(), () => 1_700_000_000_999);
});

const serve = async (name: string, folder = FIRST) => {
  const adapter = await names.load(names.freeName(name), folder);
  return { adapter, former: names.serve(name, adapter, BY_HAND) };
};

describe("the names that are served", () => {
  it("are the base model's first, then the adapters' in order", async () => {
    for (const name of ["zebra", "ant"]) await serve(name);
    expect(names.list().map(({ id, parent }) => [id, parent])).toEqual([
      ["base", null],
      ["ant", "base"],
      ["zebra", "base"],
    ]);
    expect(names.list()[0]).toEqual({
      ...{ id: "base", object: "model", owned_by: "fedmkt", root: "base", parent: null },
      ...{ created: 1_700_000_000, max_model_len: 512, lineage: null },
    });
  });

  it("are told as copies, so that nobody changes what is served", async () => {
    const lineage = { party: "a", run: "b", rounds: 1, specHash: "c", publishedAt: null, baseWeights: "d" };
    names.serve("ward", await names.load("ward", FIRST), { root: FIRST, lineage });
    names.list()[1].lineage!.run = "changed";
    expect(names.list()[1].lineage?.run).toBe("b");
  });

  it("lead to an adapter once it is served, and to none before and after", async () => {
    expect(names.resolve("ward")).toBeNull();
    const adapter = await names.load("ward", FIRST);
    expect([names.resolve("ward"), names.has("ward"), names.describe("ward")]).toEqual([null, false, null]);
    names.serve("ward", adapter, BY_HAND);
    expect([names.resolve("ward")?.adapter, names.describe("ward")]).toEqual(["ward", BY_HAND]);
    expect(names.withdraw("ward")).toBe(adapter);
    expect([names.resolve("ward"), names.withdraw("ward")]).toEqual([null, null]);
  });

  it("have no registry's state until one is followed", () => {
    expect(names.registry()).toEqual({ readAt: null, failure: null, refused: [] });
  });

  it("are free towards what computes as long as no adapter bears them, or is being loaded under them", async () => {
    const loading = names.load("ward", FIRST);
    expect(names.freeName("ward")).toBe("ward#2");
    await loading;
    await names.load("ward#2", SECOND);
    expect(names.freeName("ward")).toBe("ward#3");
    await expect(names.load("ward", SECOND)).rejects.toMatchObject({ code: "ADAPTER_LOADED" });
  });

  it("are free again where loading failed", async () => {
    inference.isDown = true;
    await expect(names.load("ward", FIRST)).rejects.toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
    expect(names.freeName("ward")).toBe("ward");
  });

  it("never lead to an adapter that is being unloaded", async () => {
    const adapter = await names.load("ward", FIRST);
    await names.retire(adapter);
    expect(() => names.serve("ward", adapter, BY_HAND)).toThrow(expect.objectContaining({ code: "ADAPTER_UNLOADED" }));
  });
});

describe("an adapter that loses its name", () => {
  it("is unloaded when the last answer that began with it has ended", async () => {
    const { adapter } = await serve("ward");
    const pins = [names.resolve("ward")!, names.resolve("ward")!];
    const { former } = await serve("ward", SECOND);
    expect(former).toBe(adapter);
    let isRetired = false;
    const retired = names.retire(adapter).then(() => {
      isRetired = true;
    });
    pins[0].release();
    pins[0].release(); // counts once
    await new Promise((resolve) => setImmediate(resolve));
    expect([isRetired, inference.loaded.has("ward")]).toEqual([false, true]);
    pins[1].release();
    await retired;
    expect([...inference.loaded.keys()]).toEqual(["ward#2"]);
  });

  it("is unloaded once, however often that is asked for", async () => {
    const { adapter } = await serve("ward");
    names.withdraw("ward");
    await Promise.all([names.retire(adapter), names.retire(adapter)]);
    await names.retire(adapter);
    expect(inference.loaded.size).toBe(0);
  });

  it("is unloaded later where what computes did not answer, and its name towards that is taken until then", async () => {
    const { adapter } = await serve("ward");
    await serve("other");
    names.withdraw("ward");
    inference.isDown = true;
    await expect(names.retire(adapter)).rejects.toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
    expect(names.freeName("ward")).toBe("ward#2");
    await expect(names.restore()).rejects.toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
    inference.isDown = false;
    expect(await names.restore()).toEqual([]);
    expect([[...inference.loaded.keys()], names.freeName("ward")]).toEqual([["other"], "ward"]);
  });

  it("is unloaded later, too, where a server behind was started anew meanwhile and has none", async () => {
    const { adapter } = await serve("ward");
    names.withdraw("ward");
    inference.isDown = true;
    await expect(names.retire(adapter)).rejects.toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
    inference.isDown = false;
    inference.loaded.clear();
    expect([await names.restore(), names.freeName("ward")]).toEqual([[], "ward"]);
  });
});

describe("a server behind that was started anew", () => {
  it("is given back the adapters that it has lost, and no others", async () => {
    await serve("kept");
    await serve("lost", SECOND);
    inference.loaded.delete("lost");
    expect(await names.restore()).toEqual(["lost"]);
    expect(inference.loads).toEqual(["kept", "lost", "lost"]);
    expect(await names.restore()).toEqual([]);
  });

  it("is given back one that has lost its name, as long as answers wait for it", async () => {
    const { adapter } = await serve("ward");
    const pin = names.resolve("ward")!;
    names.withdraw("ward");
    const retired = names.retire(adapter);
    inference.loaded.clear();
    expect(await names.restore()).toEqual(["ward"]);
    pin.release();
    await retired;
    expect(inference.loaded.size).toBe(0);
  });

  it("keeps nothing that was unloaded while it was given back", async () => {
    const { adapter } = await serve("ward");
    inference.loaded.clear();
    inference.onLoad = async () => {
      names.withdraw("ward");
      await names.retire(adapter);
    };
    expect(await names.restore()).toEqual([]);
    expect(inference.loaded.size).toBe(0);
  });

  it("is given the others where it refuses one", async () => {
    await serve("one");
    await serve("other");
    inference.loaded.clear();
    inference.onLoad = async ({ name }) => {
      if (name === "one") throw new Error("no room");
    };
    await expect(names.restore()).rejects.toThrow("no room");
    expect([...inference.loaded.keys()]).toEqual(["other"]);
  });
});

describe("requests while adapters change", () => {
  let place: FollowedRegistry;
  beforeEach(async () => {
    place = await followRegistry();
  });

  /** Asks until told to end. @returns the weights that each answer's parts were computed with */
  async function ask(isOver: () => boolean): Promise<string[][]> {
    const answers: string[][] = [];
    const body = { model: "ward", prompt: "x" };
    while (!isOver()) {
      const resolved = place.names.resolve("ward");
      if (resolved === null) throw new Error("the name led nowhere");
      const parts: string[] = [];
      for await (const chunk of place.inference.answer(
        { kind: "completion", body },
        resolved.adapter,
        new AbortController().signal,
      ))
        parts.push((chunk.choices[0] as { text: string }).text.trim());
      resolved.release();
      answers.push(parts);
    }
    return answers;
  }

  it("are each answered by one adapter from beginning to end, and none finds the name gone", async () => {
    const published = [0, 1, 2, 3, 4].map((number) => ({
      ...{ party: "ward", run: `run-${number}`, second: number, weight: number + 1 },
    }));
    place.publish(published[0]);
    await place.look();
    let isOver = false;
    const asking = Promise.all(Array.from({ length: 20 }, () => ask(() => isOver)));
    for (const adapter of published.slice(1)) {
      place.publish(adapter);
      await place.look();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    isOver = true;
    const answers = (await asking).flat();
    expect(answers.length).toBeGreaterThan(100);
    expect(answers.filter((parts) => new Set(parts).size !== 1 || parts.length !== 4)).toEqual([]);
    expect(new Set(answers.map(([weights]) => weights))).toEqual(new Set(published.map(weightsOf)));
    await place.follower.settled();
    expect([place.inference.mistakes, [...place.inference.loaded.keys()]]).toEqual([[], ["ward@run-4"]]);
    await place.stop();
  });
});
