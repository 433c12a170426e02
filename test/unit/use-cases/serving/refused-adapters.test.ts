import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { encodeJson } from "../../../../shared/src/contracts/json-document.ts";
import { InvalidInputError, TransientError } from "../../../../shared/src/core/errors.ts";
import { sha256 } from "../../../../shared/src/formats/sha256.ts";
import { Refusals } from "../../../../shared/src/use-cases/serving/refusals.ts";
import { type FollowedRegistry, followRegistry } from "../../../support/followed-registry.ts";
import {
  type AdapterToPublish,
  adapterPlace,
  publishedAdapter,
  writeEntry,
} from "../../../support/published-adapter.ts";

const GOOD = { party: "ward", run: "good", second: 1, losses: { texts: 2, notes: 3 } };
const BAD = { party: "ward", run: "bad", second: 2, losses: { texts: 1, notes: 1 }, weight: 2 };
const MINUTE = 60_000;
/** between looks */
const EVERY_MS = 2000;

let place: FollowedRegistry;
beforeEach(async () => {
  place = await followRegistry();
});
afterEach(() => place.stop());

/** Writes an adapter whose entry is not what it was published with. */
function publishChanged(adapter: AdapterToPublish, change: (entry: Record<string, unknown>) => unknown): void {
  const folder = place.publish(adapter);
  writeEntry(folder, encodeJson(change(publishedAdapter(adapter).entry)));
}

const fileOf = (name: string) => join(adapterPlace(place.runs, BAD), name);

/** What publishes the bad one, and the code that it is refused by. */
const REFUSALS: [string, string, () => void][] = [
  [
    "of a model with another configuration",
    "BASE_DIFFERS",
    () => place.publish({ ...BAD, base: { configHash: sha256("x") } }),
  ],
  ["of another tokenizer", "BASE_DIFFERS", () => place.publish({ ...BAD, base: { tokenizerHash: sha256("x") } })],
  ["of other weights", "BASE_DIFFERS", () => place.publish({ ...BAD, base: { weightsFingerprint: sha256("x") } })],
  ["worse than the one before", "ADAPTER_WORSE", () => place.publish({ ...BAD, losses: { texts: 2.1, notes: 3 } })],
  [
    "of which a file has other bytes than its entry says",
    "OUTPUT_CHANGED",
    () => {
      place.publish(BAD);
      writeFileSync(fileOf("README.md"), "x".repeat("ward of bad".length));
    },
  ],
  [
    "of which a file has another length",
    "OUTPUT_CHANGED",
    () => {
      place.publish(BAD);
      writeFileSync(fileOf("adapter_model.safetensors"), "cut off");
    },
  ],
  [
    "of which a file is missing",
    "FILE_MISSING",
    () => {
      place.publish(BAD);
      rmSync(fileOf("adapter_model.safetensors"));
    },
  ],
  [
    "whose entry names no weights",
    "ADAPTER_INVALID",
    () =>
      publishChanged(BAD, (entry) => ({
        ...entry,
        adapter: { bucket: "b", folder: "f", files: publishedAdapter(BAD).entry.adapter.files.slice(0, 2) },
      })),
  ],
  ["with values that are no numbers", "ADAPTER_INVALID", () => place.publish({ ...BAD, weight: Number.NaN })],
  [
    "whose shapes do not fit the model that computes",
    "ADAPTER_INVALID",
    () => {
      place.inference.onLoad = async ({ name }) => {
        if (name.startsWith("ward@bad")) throw new InvalidInputError("ADAPTER_INVALID", "expected [2, 8], got [2, 4]");
      };
      place.publish(BAD);
    },
  ],
  ["whose entry is no JSON", "DOCUMENT_INVALID", () => writeEntry(place.publish(BAD), "{")],
  [
    "whose entry has a field too many",
    "DOCUMENT_INVALID",
    () => publishChanged(BAD, (entry) => ({ ...entry, more: 1 })),
  ],
  [
    "whose entry leads out of its folder",
    "DOCUMENT_INVALID",
    () =>
      publishChanged(BAD, (entry) => ({
        ...entry,
        adapter: { bucket: "b", folder: "f", files: [{ name: "../../good/x", bytes: 1, sha256: sha256("x") }] },
      })),
  ],
  ["whose entry is larger than any", "FILE_TOO_LARGE", () => writeEntry(place.publish(BAD), " ".repeat(5e6))],
  [
    "that lies in another party's folder",
    "ENTRY_MISPLACED",
    () => publishChanged(BAD, (entry) => ({ ...entry, party: "harbour" })),
  ],
];

describe("an adapter that is refused", () => {
  it.each(REFUSALS)(
    "since it is one %s, is told of once by %s, and leaves the old one served",
    async (_, code, publish) => {
      place.publish(GOOD);
      await place.look();
      publish();
      for (const _again of [1, 2, 3]) await place.look();
      expect(place.runOf("ward")).toBe("good");
      const [refused, ...others] = place.names.registry().refused;
      expect(others).toEqual([]);
      expect([refused.party, refused.code]).toEqual(["ward", code]);
      expect(refused.reason).not.toBe("");
      expect(place.told.filter((line) => line.includes(code))).toHaveLength(1);
      expect(place.told.filter((line) => line.startsWith("warn: adapter refused"))).toHaveLength(1);
      expect(place.events).toEqual(["taken", "refused"]);
      await place.follower.settled();
      expect([...place.inference.loaded.keys()]).toEqual(["ward@good"]);
    },
  );

  it("says by how much it is worse, on how many sets", async () => {
    place.publish(GOOD);
    place.publish({ ...BAD, losses: { texts: 2.25, notes: 3.25, others: 0 } });
    await place.look();
    expect(place.names.registry().refused[0].reason).toBe(
      "ward@bad: expected at most 2.5000 bits per byte on the mean of the 2 sets that run good was scored on too, got 2.7500",
    );
  });

  it("is served where the tolerance allows it to be worse", async () => {
    await place.stop();
    place = await followRegistry({ tolerance: 0.25 });
    place.publish(GOOD);
    place.publish({ ...BAD, losses: { texts: 2.25, notes: 3.25 } });
    await place.look();
    expect(place.runOf("ward")).toBe("bad");
  });

  it("is judged by its losses, not by other scores", async () => {
    publishChanged(GOOD, (entry) => ({
      ...entry,
      scores: [{ ...publishedAdapter(GOOD).entry.scores[0], metric: "accuracy", value: 0.1 }],
    }));
    publishChanged(BAD, (entry) => ({
      ...entry,
      scores: [{ ...publishedAdapter(BAD).entry.scores[0], metric: "accuracy", value: 0.2 }],
    }));
    await place.look();
    expect(place.runOf("ward")).toBe("bad");
  });

  it("is not told of any more once a newer one is served, and told of again where it comes back", async () => {
    place.publish({ ...BAD, base: { configHash: sha256("x") } });
    place.publish({ ...GOOD, second: 3 });
    await place.look();
    expect([place.runOf("ward"), place.refused()]).toEqual(["good", []]);
    rmSync(adapterPlace(place.runs, GOOD), { recursive: true });
    await place.look();
    await place.look();
    expect([place.runOf("ward"), place.refused()]).toEqual([null, ["bad BASE_DIFFERS"]]);
  });

  it("of a model that others serve is told in a few words, since every run has some, and listed whole", () => {
    const told: unknown[] = [];
    const log = {
      info: (...words: unknown[]) => void told.push(words),
      warn: (...words: unknown[]) => void told.push(words),
    };
    const refused = { party: "harbour", run: "first", code: "BASE_DIFFERS", reason: "harbour@first: 300 characters" };
    const refusals = new Refusals(log, () => {});
    expect(refusals.tell([{ ...refused, isMeant: false }])).toEqual([refused]);
    refusals.tell([{ ...refused, isMeant: true, run: "second" }]);
    const { reason: _, ...few } = refused;
    expect(told).toEqual([
      ["adapter of another model", few],
      ["adapter refused", { ...refused, run: "second" }],
    ]);
  });

  it("of a model that others serve is listed, but neither a warning nor counted; where its party is named it is both", async () => {
    const foreign = { party: "harbour", run: "first", base: { weightsFingerprint: sha256("x") } };
    place.publish(foreign);
    await place.look();
    expect([place.told, place.events]).toEqual([["info: adapter of another model harbour@first BASE_DIFFERS"], []]);
    expect(place.refused()).toEqual(["first BASE_DIFFERS"]);
    await place.stop();
    place = await followRegistry({ party: "harbour" });
    place.publish(foreign);
    await place.look();
    expect([place.told, place.events]).toEqual([["warn: adapter refused harbour@first BASE_DIFFERS"], ["refused"]]);
  });

  it("is refused while its party's name is another's, and served when that is gone", async () => {
    const own = place.publish({ ...GOOD, party: "harbour" });
    place.names.serve("ward", await place.names.load("mine", own), { root: own, lineage: null });
    place.publish(GOOD);
    await place.look();
    expect([place.refused(), place.names.resolve("ward")?.adapter]).toEqual([["good NAME_TAKEN"], "mine"]);
    place.names.withdraw("ward");
    await place.look();
    expect(place.runOf("ward")).toBe("good");
  });

  it("gives its name up where somebody has taken it while the adapter was loaded", async () => {
    const own = place.publish({ ...GOOD, party: "harbour" });
    place.publish(GOOD);
    place.inference.onLoad = async ({ name }) => {
      if (name !== "ward@good") return;
      place.names.serve("ward", await place.names.load("mine", own), { root: own, lineage: null });
    };
    await place.look();
    expect([place.refused(), place.names.resolve("ward")?.adapter]).toEqual([["good NAME_TAKEN"], "mine"]);
    expect([...place.inference.loaded.keys()].sort()).toEqual(["harbour@good", "mine"]);
  });

  it("whose party is called as the base model never takes its name", async () => {
    place.publish({ ...GOOD, party: "base" });
    await place.look();
    expect([place.refused(), place.names.resolve("base")]).toEqual([
      ["good NAME_TAKEN"],
      { adapter: null, release: expect.any(Function) },
    ]);
  });

  it("is tried again after a minute, then after two, in case its files were put right, and told of once all the same", async () => {
    place.publish(GOOD);
    await place.look();
    let tries = 0;
    place.inference.onLoad = async () => {
      tries++;
      if (tries < 4) throw new InvalidInputError("ADAPTER_INVALID", "no room for another one");
    };
    place.publish(BAD);
    const triesAfter = async (ms: number) => {
      place.clock.nowMs += ms;
      await place.look();
      return tries;
    };
    expect(await triesAfter(0)).toBe(1);
    expect(await triesAfter(MINUTE - 1)).toBe(1);
    expect(await triesAfter(1)).toBe(2);
    expect(await triesAfter(2 * MINUTE - 1)).toBe(2);
    expect(await triesAfter(1)).toBe(3);
    expect([place.runOf("ward"), place.told.filter((line) => line.includes("refused")).length]).toEqual(["good", 1]);
    expect(await triesAfter(4 * MINUTE)).toBe(4);
    expect([place.runOf("ward"), place.refused()]).toEqual(["bad", []]);
  });

  it("is tried at once where its entry was deleted and has come back, the same as before", async () => {
    // as S3 does: the same bytes are the same version
    const { list } = place.registry;
    place.registry.list = async (...asked) => (await list(...asked)).map((entry) => ({ ...entry, version: "same" }));
    const folder = place.publish(BAD);
    rmSync(join(folder, "README.md"));
    await place.look();
    expect(place.refused()).toEqual(["bad FILE_MISSING"]);
    place.publish(BAD);
    await place.look();
    expect(place.runOf("ward")).toBeNull();
    rmSync(join(folder, "registry-entry.json"));
    await place.look();
    await place.look();
    place.publish(BAD);
    await place.look();
    expect([place.runOf("ward"), place.refused()]).toEqual(["bad", []]);
  });

  it("is tried again at once where its files have changed", async () => {
    place.publish(GOOD);
    const folder = place.publish(BAD);
    const { files } = publishedAdapter(BAD);
    writeFileSync(join(folder, "adapter_model.safetensors"), "half of it");
    await place.look();
    expect([place.runOf("ward"), place.refused()]).toEqual(["good", ["bad OUTPUT_CHANGED"]]);
    writeFileSync(join(folder, "adapter_model.safetensors"), files["adapter_model.safetensors"]);
    await place.look();
    expect([place.runOf("ward"), place.refused()]).toEqual(["bad", []]);
  });

  it("under the name of the run that is served leaves that served, as long as its entry is there", async () => {
    const folder = place.publish(GOOD);
    await place.look();
    writeEntry(folder, "{");
    for (const _ of [1, 2, 3]) await place.look();
    expect([place.runOf("ward"), place.names.registry().refused[0].code]).toEqual(["good", "DOCUMENT_INVALID"]);
    place.publish({ ...GOOD, second: 9, losses: { texts: 99 }, weight: 9 });
    await place.look();
    expect([place.refused(), place.inference.loads]).toEqual([["good ADAPTER_WORSE"], ["ward@good"]]);
    rmSync(folder, { recursive: true });
    await place.look();
    await place.look();
    expect(place.runOf("ward")).toBeNull();
  });
});

describe("a registry with more adapters than may be in memory", () => {
  const most = 2;
  const served = () => place.names.list().flatMap(({ id, parent }) => (parent === null ? [] : [id]));
  beforeEach(async () => {
    await place.stop();
    place = await followRegistry({ mostAdapters: most });
  });

  it("has those of the parties served that came first, and the others refused with one reason, told once", async () => {
    place.publish({ party: "last", run: "good", second: 3 });
    place.publish({ party: "first", run: "old", second: 1 });
    place.publish({ party: "first", run: "new", second: 9, weight: 2 });
    place.publish({ party: "second", run: "good", second: 2 });
    place.publish({ party: "foreign", run: "good", second: 0, base: { configHash: sha256("x") } });
    for (const _ of [1, 2, 3]) await place.look();
    expect([served(), place.runOf("first")]).toEqual([["first", "second"], "new"]);
    expect(place.refused()).toEqual(["good BASE_DIFFERS", "good ADAPTERS_FULL"]);
    expect(place.told.filter((line) => line.includes("ADAPTERS_FULL"))).toEqual([
      "warn: adapter refused last@good ADAPTERS_FULL",
    ]);
    expect(place.inference.loaded.size).toBe(most);
  });

  it("leaves who is served in place, whatever comes with an older time, and gives a place that is free away", async () => {
    const second = place.publish({ party: "second", run: "good", second: 2 });
    place.publish({ party: "third", run: "good", second: 3 });
    await place.look();
    place.publish({ party: "first", run: "good", second: 1 });
    await place.look();
    expect([served(), place.refused()]).toEqual([["second", "third"], ["good ADAPTERS_FULL"]]);
    rmSync(join(second, "registry-entry.json"));
    for (const _ of [1, 2]) await place.look();
    await place.follower.settled();
    await place.look();
    expect([served(), place.refused()]).toEqual([["first", "third"], []]);
  });

  it("goes on changing those that are served, but loads no third while answers hold the one before", async () => {
    const publish = (run: number) => place.publish({ party: "ward", run: `run-${run}`, second: run, weight: run });
    place.publish({ party: "harbour", run: "good" });
    publish(1);
    await place.look();
    const pin = place.names.resolve("ward")!;
    publish(2);
    await place.look();
    expect([place.runOf("ward"), place.inference.loaded.size]).toEqual(["run-2", most + 1]);
    publish(3);
    await place.look();
    expect([place.runOf("ward"), place.refused(), place.inference.loaded.size]).toEqual([
      ...["run-2", ["run-3 ADAPTERS_FULL"]],
      most + 1,
    ]);
    pin.release();
    await place.follower.settled();
    await place.look();
    expect([place.runOf("ward"), place.refused()]).toEqual(["run-3", []]);
  });
});

describe("a registry that cannot be read", () => {
  const down = async () => {
    throw new TransientError("AWS_UNAVAILABLE", "s3://registry/adapters/*: no answer");
  };

  it("leaves what is served, is told of once, and is followed again when it can", async () => {
    place.publish(GOOD);
    await place.look();
    const { list } = place.registry;
    place.registry.list = down;
    for (const _ of [1, 2, 3]) await place.look();
    expect(place.runOf("ward")).toBe("good");
    expect(place.names.registry()).toMatchObject({
      readAt: "2026-06-01T00:00:00.000Z",
      failure: { code: "AWS_UNAVAILABLE", reason: "s3://registry/adapters/*: no answer" },
    });
    expect(place.told.slice(1)).toEqual(["warn: registry not followed: what is served stays AWS_UNAVAILABLE"]);
    expect(place.events.filter((event) => event === "look-failed")).toHaveLength(3);
    place.registry.list = list;
    place.publish(BAD);
    await place.look();
    expect([place.runOf("ward"), place.names.registry().failure]).toEqual(["bad", null]);
    expect(place.told).toContain("info: registry is read again");
  });

  it("leaves what is served where the whole folder is gone, as with a volume that is not mounted", async () => {
    place.publish(GOOD);
    await place.look();
    rmSync(place.runs, { recursive: true });
    for (const _ of [1, 2, 3]) await place.look();
    expect([place.runOf("ward"), place.names.registry().failure?.code]).toEqual(["good", "FILE_MISSING"]);
  });

  it("leaves an entry that cannot be read for the next look, and takes up the others", async () => {
    place.publish(GOOD);
    place.publish({ ...GOOD, party: "harbour" });
    const { read } = place.registry;
    place.registry.read = (entry, signal) => (entry.party === "ward" ? down() : read(entry, signal));
    await place.look();
    expect([place.runOf("harbour"), place.runOf("ward")]).toEqual(["good", null]);
    expect(place.names.registry().failure?.code).toBe("AWS_UNAVAILABLE");
    place.registry.read = read;
    await place.look();
    expect([place.runOf("ward"), place.names.registry().failure]).toEqual(["good", null]);
  });

  it("keeps what it knows of an entry whose new version cannot be read yet", async () => {
    place.publish(GOOD);
    await place.look();
    const { read } = place.registry;
    place.registry.read = down;
    place.publish({ ...GOOD, second: 9, weight: 9 });
    for (const _ of [1, 2]) await place.look();
    expect(place.runOf("ward")).toBe("good");
    place.registry.read = read;
    await place.look();
    expect(place.inference.loads).toEqual(["ward@good", "ward@good#2"]);
  });

  it("tries an adapter again at the next look where its files or the server behind were out of reach", async () => {
    place.publish(GOOD);
    const { fetch } = place.registry;
    place.registry.fetch = down;
    await place.look();
    expect([place.runOf("ward"), place.refused()]).toEqual([null, []]);
    place.registry.fetch = fetch;
    place.inference.isDown = true;
    place.clock.nowMs += EVERY_MS;
    await place.look();
    expect(place.names.registry().failure?.code).toBe("UPSTREAM_UNAVAILABLE");
    place.inference.isDown = false;
    place.clock.nowMs += EVERY_MS;
    await place.look();
    expect(place.runOf("ward")).toBe("good");
    expect(place.events).toEqual(["look-failed", "look-failed", "taken"]);
  });

  it("tries such an adapter less and less often, up to every minute, tells of it once, and takes up others meanwhile", async () => {
    const fetched: number[] = [];
    const { fetch } = place.registry;
    const beganMs = place.clock.nowMs;
    place.registry.fetch = async (entry, ...more) => {
      if (entry.party !== "ward") return fetch(entry, ...more);
      fetched.push((place.clock.nowMs - beganMs) / 1000);
      return down();
    };
    place.publish(GOOD);
    for (; place.clock.nowMs <= beganMs + 4 * MINUTE; place.clock.nowMs += EVERY_MS) {
      if (place.clock.nowMs === beganMs + MINUTE) place.publish({ ...GOOD, party: "harbour" });
      await place.look();
    }
    expect(fetched).toEqual([0, 2, 4, 8, 16, 32, 64, 124, 184]);
    expect(place.told).toEqual([
      "warn: registry not followed: what is served stays AWS_UNAVAILABLE",
      "info: adapter served harbour@good",
    ]);
    expect(place.names.registry().failure?.code).toBe("AWS_UNAVAILABLE");
    place.registry.fetch = fetch;
    // another version, which is tried at once
    place.publish({ ...GOOD, losses: { texts: 1 } });
    await place.look();
    expect([place.runOf("ward"), place.names.registry().failure]).toEqual(["good", null]);
  });

  it("goes on after an error that nobody expected", async () => {
    place.publish(GOOD);
    const { list } = place.registry;
    place.registry.list = async () => {
      throw new Error("a bug");
    };
    await place.look();
    expect(place.names.registry().failure).toEqual({ code: "UNEXPECTED", reason: "a bug" });
    place.registry.list = list;
    await place.look();
    expect(place.runOf("ward")).toBe("good");
  });

  it("takes an entry for gone that was deleted between being listed and being read", async () => {
    place.publish(GOOD);
    place.registry.read = async () => {
      throw new InvalidInputError("OBJECT_MISSING", "gone");
    };
    await place.look();
    expect([place.runOf("ward"), place.names.registry()]).toEqual([
      null,
      expect.objectContaining({ failure: null, refused: [] }),
    ]);
  });
});
