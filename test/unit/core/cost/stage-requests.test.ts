import { describe, expect, it } from "@jest/globals";
import { largestPayloadBytes } from "../../../../shared/src/core/cost/payload.ts";
import type { PartySize, RunSize } from "../../../../shared/src/core/cost/run-size.ts";
import { alignedBytes, knowledgeBytes, stageRequests } from "../../../../shared/src/core/cost/stage-requests.ts";
import { partySize, runSize } from "../../../support/run-size.ts";

const SMALL = { modelBytes: 1_000, modelFiles: 3, adapterBytes: 100, vocabularySize: 10, publicTokens: 500 };
const party = (id: string, publicPositions: number, vocabularySize = 10) =>
  partySize({ ...SMALL, id, publicPositions, vocabularySize });

/** Two clients, two shards, two baselines: small enough to count by hand. */
const smallRun = (change: Partial<RunSize> = {}) =>
  runSize({
    rounds: 2,
    publicSamples: 100,
    publicBytes: 10_000,
    samplesPerShard: 50,
    topK: 4,
    shardEncoding: "plain",
    maps: 2,
    averages: true,
    baselines: [
      { party: "harbour", trainsOnPrivate: true, trainsOnPublic: true },
      { party: "server", trainsOnPrivate: false, trainsOnPublic: false },
    ],
    server: party("server", 200, 20),
    clients: [party("harbour", 200), party("quay", 300)],
    ...change,
  });

const rowOf = (stage: string, size: RunSize, material?: boolean) =>
  stageRequests(size, material).find((row) => row.stage === stage)!;

describe("the requests of a run's stages", () => {
  it("are those that a small run's stages have to make, counted by hand", () => {
    // stage, runs, reads, writes, bytes read, bytes written. The plan has 4,000 + 3 × 1,000 + 8 × 60 = 7,480 bytes.
    expect(stageRequests(smallRun()).map((row) => Object.values(row))).toEqual([
      // the run's file; of each of 3 parties the folder, its tokenizer's 2 files and a fingerprint; public and held-out set
      ["plan-run", 1, 1 + 3 * 4 + 2, 9, 10_000 + 3 * 2_002_000 + 20_000, 300 + 300 + 7_480 + 20_000],
      // each: the plan, whether it is done, two tokenizers; 9 bytes a source token and 4 a target token
      ["map-vocabulary", 2, 2 * 6, 2, 2 * (7_480 + 4_000_000), 2 * (9 * 20 + 4 * 10)],
      ["run-baseline", 2, 24, 11, 4_060_960, 4_600],
      ["client-train", 4, 58, 28, 8_126_120, 97_400],
      ["server-extract", 1, 11, 6, 2_020_480, 1_250 + 20_800],
      ["align-shard", 16, 224, 48, 64_665_200, 159_200],
      // each: the plan, and of every source each shard's manifest and losses; the choice is 8 bytes a sample
      ["select-knowledge", 6, 2 * (1 + 2 * 2 * 3 + 2 * (1 + 2 * 3)), 6, 60_880, 6 * 800],
      ["server-distil", 2, 55, 14, 4_111_540, 44_300],
      ["client-distil", 4, 88, 20, 8_166_400, 5_400],
      ["average-adapters", 2, 2 * (2 + 2 * 5), 4, 2 * (7_480 + 2 * (2_000 + 100)), 2 * (100 + 1_000)],
      ["evaluate", 6, 84, 30, 12_129_480, 13_500],
      ["close-round", 2, 77, 8, 49_260, 6_000],
      ["publish-run", 1, 22, 16, 21_080, 62_600],
    ]);
  });

  it("leave out averaging where nothing is averaged, and baselines where there are none", () => {
    const size = smallRun({ averages: false, baselines: [] });
    for (const stage of ["average-adapters", "run-baseline"])
      expect(rowOf(stage, size)).toEqual({ stage, runs: 0, reads: 0, writes: 0, bytesRead: 0, bytesWritten: 0 });
  });

  it("of a baseline read the sets that it trains on, and write an adapter where it trains on any", () => {
    const asked = (trainsOnPrivate: boolean, trainsOnPublic: boolean) =>
      rowOf("run-baseline", smallRun({ baselines: [{ party: "quay", trainsOnPrivate, trainsOnPublic }] }));
    const none = asked(false, false);
    expect(asked(true, false)).toMatchObject({ reads: none.reads + 1, writes: none.writes + 1 });
    expect(asked(false, true)).toMatchObject({ reads: none.reads + 1, writes: none.writes + 1 });
    expect(asked(true, true)).toMatchObject({ reads: none.reads + 2, writes: none.writes + 1 });
    expect(asked(true, true).bytesWritten).toBe(none.bytesWritten + 100);
  });

  it("of a baseline are those of its own party's model", () => {
    const quay = { ...party("quay", 300), modelBytes: 70_000, adapterBytes: 7_000 };
    const size = (id: string) =>
      smallRun({
        clients: [party("harbour", 200), quay],
        baselines: [{ party: id, trainsOnPrivate: true, trainsOnPublic: false }],
      });
    const [small, large] = ["harbour", "quay"].map((id) => rowOf("run-baseline", size(id)));
    expect(large.bytesWritten - small.bytesWritten).toBe(6_900);
    // its one weight file twice: for the fingerprint, and to open it
    expect(large.bytesRead - small.bytesRead).toBe(2 * 69_000);
  });

  it("read adapters from the second round on, and look for the next round's stop before it", () => {
    const more = (stage: string) => {
      const [one, two] = [1, 2].map((rounds) => rowOf(stage, smallRun({ rounds })));
      return [two.reads - 2 * one.reads, two.bytesRead - 2 * one.bytesRead];
    };
    // of each client what was done before, twice, by two requests each, and the adapter by one
    expect(more("client-train")).toEqual([2 * 5, 2 * (2_000 + 100)]);
    expect(more("server-distil")).toEqual([3, 1_000 + 100]);
    // of the 8 jobs of the first round the usage once more, and 1
    expect(more("close-round")[0]).toBe(8 + 1);
  });

  it("are fewer by models and data where those lie elsewhere", () => {
    // asked twice whether it is done, the plan, the public set; its usage, its manifest, two shards
    expect(rowOf("server-extract", smallRun(), false)).toEqual({
      stage: "server-extract",
      runs: 1,
      reads: 4,
      writes: 4,
      bytesRead: 7_480 + 10_000,
      bytesWritten: 1_250 + 20_800,
    });
    expect(rowOf("plan-run", smallRun(), false)).toMatchObject({ reads: 1, writes: 6, bytesRead: 10_000 });
    expect(rowOf("client-train", smallRun(), false).reads).toBe(2 * 2 * (3 + 1) + 2 * 5);
  });

  it("write large adapters in parts of 8 MiB", () => {
    const of = (adapterBytes: number) =>
      rowOf("average-adapters", smallRun({ clients: [{ ...party("harbour", 200), adapterBytes }] })).writes;
    expect([0, 1, 8 * 1024 ** 2, 8 * 1024 ** 2 + 1, 80 * 1024 ** 2].map(of)).toEqual([4, 4, 4, 6, 22]);
  });

  it("look at 64 places of each large weight file, and read small ones whole", () => {
    const seen = (modelBytes: number, modelFiles: number) => {
      const server = { ...party("server", 200), modelBytes, modelFiles };
      const { reads, bytesRead } = rowOf("plan-run", smallRun({ server }));
      return [reads, bytesRead - 10_000 - 2 * 2_002_000 - 20_000 - 2_001_000];
    };
    expect(seen(262_144, 3)).toEqual([15, 262_144]);
    expect(seen(262_145, 3)).toEqual([14 + 64, 262_144]);
    expect(seen(600_000, 4)).toEqual([14 + 2 * 64, 2 * 262_144]);
    expect(seen(2 * 262_144, 4)).toEqual([16, 2 * 262_144]);
    expect(seen(1_000, 1)).toEqual([15, 1_000]);
  });
});

describe("the bytes of knowledge", () => {
  it("grow with positions and entries, of which no more are kept than the vocabulary has", () => {
    const size = smallRun();
    expect(knowledgeBytes(size.server, size)).toBe(200 * (12 + 8 * 4) + 500 * 8 + 100 * 40 + 2 * 2_000);
    expect(knowledgeBytes(size.clients[1], { ...size, topK: 99 })).toBe(
      300 * (12 + 8 * 10) + 500 * 8 + 100 * 40 + 2 * 2_000,
    );
  });

  it("packed are a share of the set's bits and of each entry, and near what shards of real models take", () => {
    const size = smallRun({ shardEncoding: "packed", topK: 2 });
    // of 10 tokens there are 45 pairs
    const entries = (0.55 * Math.log2(45) + 4.5 * 2) / 8;
    expect(knowledgeBytes(size.clients[0], size)).toBe(Math.ceil(200 * (entries + 4) + 500 * 2 + 100 * 30 + 2 * 2_000));
    const aPosition = (vocabularySize: number, topK: number) => {
      const many = partySize({ ...SMALL, publicPositions: 1e6, publicTokens: 1e6, id: "many", vocabularySize });
      return knowledgeBytes(many, { ...size, topK }) / 1e6;
    };
    // docs/shards.md: stories260k and SmolLM2 on WikiText
    for (const [vocabularySize, topK, measured] of [
      [512, 16, 21.6],
      [512, 128, 99.1],
      [49_152, 16, 26],
      [49_152, 128, 150.5],
    ]) {
      expect(aPosition(vocabularySize, topK) / measured).toBeGreaterThan(1);
      expect(aPosition(vocabularySize, topK) / measured).toBeLessThan(1.25);
    }
  });

  it("are the source's entries at the target's positions, once aligned", () => {
    const size = smallRun();
    expect(alignedBytes(size.server, size.clients[1], size)).toBe(300 * (12 + 8 * 4) + 100 * 20 + 2 * 2_000);
    expect(alignedBytes(size.clients[1], size.server, { ...size, topK: 99 })).toBe(
      200 * (12 + 8 * 10) + 100 * 20 + 2 * 2_000,
    );
  });
});

describe("the bytes of the run machine's state", () => {
  const bytes = (value: object) => JSON.stringify(value).length + 1;
  const refs = (...ids: string[]) => ids.map((id) => ({ id, compute: "ecs" }));
  const transfers = (...clients: string[]) =>
    clients.flatMap((source) => [0, 1].map((shard) => bytes({ source, shard }))).reduce((sum, one) => sum + one, 0);
  const parties = bytes({ clients: refs("harbour", "quay"), parties: refs("server", "harbour", "quay") }) - 1;

  it("are a frame, what was planned and the first round, where there is one", () => {
    expect(largestPayloadBytes(smallRun({ rounds: 1, maps: 3 }))).toBe(
      700 +
        parties +
        2 * transfers("harbour", "quay") +
        bytes({ party: "harbour", compute: "worker", baseline: "standalone+public" }) +
        bytes({ party: "server", compute: "worker", baseline: "standalone+public" }) +
        3 * bytes({ source: "server", target: "harbour" }),
    );
  });

  it("are two rounds' members at once where there are more", () => {
    const bare = { maps: 0, baselines: [] };
    const both = 2 * (parties + 2 * transfers("harbour", "quay"));
    expect(largestPayloadBytes(smallRun(bare))).toBe(700 + both);
    const quay = { ...party("quay", 300), leavesAfterRound: 1 };
    const alone = bytes({ clients: refs("harbour"), parties: refs("server", "harbour") }) - 1;
    expect(largestPayloadBytes(smallRun({ ...bare, clients: [party("harbour", 200), quay] }))).toBe(
      700 + parties + 2 * transfers("harbour", "quay") + alone + 2 * transfers("harbour"),
    );
  });

  it("are less where fewer learn", () => {
    const one = (direction: RunSize["direction"]) =>
      largestPayloadBytes(smallRun({ rounds: 1, maps: 0, baselines: [], direction }));
    const clients = bytes({ clients: refs("harbour", "quay"), parties: refs("harbour", "quay") }) - 1;
    expect(one("to-clients")).toBe(700 + clients + transfers("harbour", "quay"));
    expect(one("none")).toBe(700 + clients);
  });
});

describe("the requests of runs of other kinds", () => {
  const runsOf = (size: RunSize) =>
    Object.fromEntries(stageRequests(size).map(({ stage, runs }) => [stage, runs] as const));

  it("leave out what is for the server alone where clients alone learn", () => {
    const runs = runsOf(smallRun({ direction: "to-clients", averages: false }));
    expect(runs).toMatchObject({ "server-extract": 1, "server-distil": 0, "align-shard": 8, evaluate: 4 });
    expect(runs["select-knowledge"]).toBe(4);
  });

  it("are for clients alone where those alone learn, and for nobody where nothing is transferred", () => {
    const size = smallRun({ direction: "to-clients" });
    expect([rowOf("align-shard", size), rowOf("select-knowledge", size)].map((row) => Object.values(row))).toEqual([
      // each: asked, the plan, the public set, both sides' knowledge, a map, two tokenizers; two outputs and a manifest
      ["align-shard", 8, 8 * 14, 8 * 3, 8 * (7_480 + 10_000 + 2_000 + 220 + 4_000_000) + 2 * (41_600 + 46_000), 84_000],
      ["select-knowledge", 4, 4 * (1 + 2 * 3), 4, 4 * (7_480 + 2_000), 4 * 800],
    ]);
    const nothing = { runs: 0, reads: 0, writes: 0, bytesRead: 0, bytesWritten: 0 };
    expect(rowOf("server-distil", size)).toEqual({ stage: "server-distil", ...nothing });
    for (const stage of ["server-extract", "align-shard", "select-knowledge", "server-distil"])
      expect(rowOf(stage, smallRun({ direction: "none" }))).toEqual({ stage, ...nothing });
    // what a client selected: its choice, a map, of each shard the manifest and what was translated for it
    const [learnt, alone] = [rowOf("client-distil", size), rowOf("client-distil", smallRun({ direction: "none" }))];
    expect(learnt.reads - alone.reads).toBe(4 * (1 + 1 + 2 * 3));
    expect(learnt.bytesRead - alone.bytesRead).toBe(4 * (800 + 220 + 2_000) + 2 * (14_800 + 19_200));
  });

  it("leave out extraction, alignment and selection where nothing is transferred", () => {
    const size = smallRun({ direction: "none" });
    expect(runsOf(size)).toMatchObject({
      "client-train": 4,
      "server-extract": 0,
      "align-shard": 0,
      "select-knowledge": 0,
      "server-distil": 0,
      "client-distil": 4,
      "average-adapters": 2,
      evaluate: 4,
      "close-round": 2,
    });
    // of each client in each round two shards, and reading the public set
    const trained = rowOf("client-train", smallRun());
    expect(trained.writes - rowOf("client-train", size).writes).toBe(4 * 2);
    expect(trained.reads - rowOf("client-train", size).reads).toBe(4);
    // the choice of the server and of each client, and one manifest of the server's
    expect(rowOf("close-round", size).reads).toBe(
      // the plan; of 2 parties scores, of 2 clients 2 manifests; usage of 2 + 6 and 2 + 12 jobs; a stop
      2 * (1 + 2 * 3 + 2 * 2 * 2) + 8 + 14 + 1,
    );
  });

  it("count a variant's rounds, without what it takes from the run's first, and its plan", () => {
    const variant = { name: "one-way", direction: "to-clients", averages: false, trainsOnPublic: true } as const;
    const [without, size] = [smallRun({ averages: false }), smallRun({ averages: false, variants: [variant] })];
    const [before, after] = [runsOf(without), runsOf(size)];
    const more = Object.fromEntries(Object.entries(after).map(([stage, runs]) => [stage, runs - before[stage]]));
    expect(more).toEqual({
      "plan-run": 0,
      "map-vocabulary": 0,
      "run-baseline": 0,
      "client-train": 2,
      "server-extract": 0,
      "align-shard": 8,
      "select-knowledge": 4,
      "server-distil": 0,
      "client-distil": 4,
      "average-adapters": 0,
      evaluate: 4,
      "close-round": 2,
      "publish-run": 0,
    });
    expect(rowOf("plan-run", size).writes).toBe(rowOf("plan-run", without).writes + 1);
    expect(rowOf("plan-run", size).bytesWritten).toBe(rowOf("plan-run", without).bytesWritten + 7_480);
    // the plan; of 3 parties, of a variant's 2, scores and the choice; of the server 2 manifests, of clients 4 each; a variant's plan
    // too; the usage of all jobs so far, and whether to stop
    const [own, variants] = [1 + 3 * 4 + 2 + 2 * 4, 2 + 2 * 4 + 2 * 4];
    expect(rowOf("close-round", size).reads).toBe(2 * own + 2 * variants + (11 + 19 + 23 + 29) + 3);
    // which variants there are only the run's own plan says
    expect(rowOf("close-round", size).writes).toBe(2 * (3 + 1 + 1) + 2 * (2 + 3 + 1));
  });

  it("count a client's rounds alone, and its first one without an adapter", () => {
    const quay = { ...party("quay", 300), joinsAtRound: 2 };
    const of = (averages: boolean) => smallRun({ averages, clients: [party("harbour", 200), quay] });
    expect(runsOf(of(true))).toMatchObject({ "client-train": 3, "align-shard": 12, evaluate: 5, "client-distil": 3 });
    const all = rowOf("client-train", smallRun());
    const one = rowOf("client-train", smallRun({ rounds: 1, clients: [party("quay", 300)], baselines: [] }));
    // quay's second of two rounds is gone, which read what was done before: the adapter, and the first round's set
    expect(all.reads - rowOf("client-train", of(false)).reads).toBe(one.reads + 3 + 2);
    // whoever joins others that are averaged begins with their average
    expect(all.reads - rowOf("client-train", of(true)).reads).toBe(one.reads + 2);
  });

  describe("where rounds are judged", () => {
    const judged = (id: string, bytes: number, given: Partial<PartySize> = {}) => ({
      ...party(id, 200),
      validation: { tokens: 1, bytes },
      ...given,
    });
    const clients = [judged("harbour", 500), party("quay", 300)];
    /** By stage what is asked beyond the same run without a gate: reads, writes, bytes read, bytes written. */
    const more = (size: RunSize, material?: boolean) => {
      const bare = (one: PartySize): PartySize => ({ ...one, validation: undefined });
      const without = { ...size, server: bare(size.server), clients: size.clients.map(bare) };
      return Object.fromEntries(
        stageRequests(size, material).flatMap(({ stage, runs, ...row }) => {
          const before = rowOf(stage, without, material);
          expect(runs).toBe(before.runs);
          const names = ["reads", "writes", "bytesRead", "bytesWritten"] as const;
          const differences = names.map((name) => row[name] - before[name]);
          return differences.every((difference) => difference === 0) ? [] : [[stage, differences]];
        }),
      );
    };

    it("read the validation set, a client's fresh adapter once written, and what was found before", () => {
      const size = smallRun({ rounds: 3, averages: false, clients, server: judged("server", 90) });
      expect(more(size)).toEqual({
        "plan-run": [1, 0, 90, 0],
        "run-baseline": [1, 0, 500, 0],
        // its set in all three rounds; the first begins with a fresh adapter, the others with a job's
        "client-train": [3 + 2 * 2, 1, 3 * 500 + 2 * 1_000, 100],
        // of its set and its loss before a later round both are in the manifest of the one before
        "server-distil": [3 + 2 * 2 * 2, 0, 3 * 90 + 2 * 2 * 1_000, 0],
        "client-distil": [3 + 3 * 2, 0, 3 * 500 + 3 * 1_000, 0],
      });
      // models and data elsewhere
      expect(more(size, false)).toEqual({
        "client-train": [2 * 2, 1, 2 * 1_000, 100],
        "server-distil": [2 * 2 * 2, 0, 2 * 2 * 1_000, 0],
        "client-distil": [3 * 2, 0, 3 * 1_000, 0],
      });
    });

    it("judge a baseline that trains, and none that does not", () => {
      const of = (trainsOnPrivate: boolean, trainsOnPublic: boolean) =>
        more(smallRun({ clients, baselines: [{ party: "harbour", trainsOnPrivate, trainsOnPublic }] }))["run-baseline"];
      expect(of(false, false)).toBeUndefined();
      expect(of(true, false)).toEqual([1, 0, 500, 0]);
      expect(of(false, true)).toEqual([1, 0, 500, 0]);
    });

    it("look at who joins others that are averaged as at their average", () => {
      const late = judged("harbour", 500, { joinsAtRound: 2 });
      const of = (averages: boolean) =>
        more(smallRun({ averages, clients: [late, party("quay", 300)] }))["client-train"];
      expect(of(true)).toEqual([1 + 2, 0, 500 + 1_000, 0]);
      expect(of(false)).toEqual([1, 1, 500, 100]);
    });

    it("hold every client's sets against the public one, though nothing is transferred", () => {
      const size = smallRun({
        averages: false,
        direction: "none",
        clients: [party("harbour", 200), party("quay", 300)],
      });
      expect(more({ ...size, server: judged("server", 90) })["client-train"]).toEqual([4, 0, 4 * 10_000, 0]);
    });
  });

  it("of centralized read every private set", () => {
    const asked = (privateTokens?: number) =>
      rowOf(
        "run-baseline",
        smallRun({ baselines: [{ party: "server", trainsOnPrivate: true, trainsOnPublic: true, privateTokens }] }),
      );
    expect(asked(1_000).reads).toBe(asked().reads + 1);
  });
});
