import { describe, expect, it } from "@jest/globals";
import { HIDDEN_SECONDS, HIDES_PER_TIMEOUT } from "../../../../gpu-workers/src/queue-worker.ts";
import { acceleratorOf } from "../../../../shared/src/core/cost/accelerators.ts";
import {
  type CostEstimate,
  estimateCost,
  FUNCTION_MEGABYTES,
  limitShares,
  roundOfBudgetStop,
  SERVICE_ASSUMPTIONS,
} from "../../../../shared/src/core/cost/estimate-cost.ts";
import { ON_DEMAND_HOURS, SPOT_SHARE } from "../../../../shared/src/core/cost/prices.ts";
import type { PartySize } from "../../../../shared/src/core/cost/run-size.ts";
import {
  processSeconds,
  WORKER_ASSUMPTIONS,
  workerJobs,
  workerMemoryBytes,
} from "../../../../shared/src/core/cost/worker-time.ts";
import { partySize, runSize } from "../../../support/run-size.ts";

const SPOT = { instanceType: "g5.xlarge", spot: true, machineHours: null };
const clients = (count: number) => Array.from({ length: count }, (_, index) => partySize({ id: `client-${index}` }));
const lineOf = ({ lines }: CostEstimate, service: string) => lines.find((line) => line.service === service);

describe("the work of a run", () => {
  it("is three jobs a client and two of the server in a round, once one more, and the baselines", () => {
    const size = runSize({
      rounds: 3,
      clients: clients(4),
      baselines: [{ party: "client-0", trainsOnPrivate: true, trainsOnPublic: true }],
    });
    expect(workerJobs(size)).toHaveLength(3 * (3 * 4 + 2) + 1 + 1);
  });

  it("is reckoned from tokens and parameters: four operations a weight for training, two for reading", () => {
    const client = partySize({ parameters: 1_000, privateTokens: 10, publicTokens: 5, privateEpochs: 2 });
    const [train] = workerJobs(runSize({ clients: [client] }));
    expect(train).toMatchObject({ stage: "client-train", trainedTokens: 20, readTokens: 5 });
    expect(train.flops).toBe(1_000 * (4 * 20 + 2 * 5));
    const accelerator = { name: "slow", memoryBytes: 1, gpus: 1, flopsPerSecond: 1_000 };
    const { openSeconds, downloadBytesPerSecond } = WORKER_ASSUMPTIONS;
    expect(processSeconds(train, client, accelerator)).toBeCloseTo(
      openSeconds + client.modelBytes / downloadBytesPerSecond + 90,
    );
  });

  it("lets a baseline train in one job for as many rounds as the run has", () => {
    const size = runSize({
      rounds: 4,
      baselines: [{ party: "harbour", trainsOnPrivate: true, trainsOnPublic: false }],
    });
    const [baseline] = workerJobs(size);
    expect(baseline).toMatchObject({ stage: "run-baseline", round: 0, trainedTokens: 4 * 100_000, readTokens: 50_000 });
  });

  it.each([
    [true, true, 2 * (2 * 100_000 + 3 * 50_000)],
    [true, false, 2 * 2 * 100_000],
    [false, true, 2 * 3 * 50_000],
    [false, false, 0],
  ])(
    "of a baseline is the sets that it trains on, private %j and public %j",
    (trainsOnPrivate, trainsOnPublic, trained) => {
      const client = partySize({ privateEpochs: 2, publicEpochs: 3, publicTokens: 50_000, heldOutTokens: 7 });
      const baselines = [{ party: "harbour", trainsOnPrivate, trainsOnPublic }];
      const [baseline] = workerJobs(runSize({ rounds: 2, clients: [client], baselines }));
      expect(baseline).toEqual({
        variant: null,
        stage: "run-baseline",
        party: "harbour",
        round: 0,
        trainedTokens: trained,
        readTokens: 7,
        flops: 1e9 * (4 * trained + 2 * 7),
      });
    },
  );

  it("goes in the machine's order, and the server extracts by itself in the first round alone", () => {
    const server = partySize({ id: "server", publicTokens: 10, heldOutTokens: 20, publicEpochs: 2 });
    const client = partySize({
      publicTokens: 1,
      heldOutTokens: 2,
      privateTokens: 4,
      privateEpochs: 3,
      publicEpochs: 5,
    });
    const told = workerJobs(runSize({ rounds: 2, server, clients: [client] })).map((job) => [
      ...[job.round, job.stage, job.party, job.trainedTokens, job.readTokens],
    ]);
    const round = (number: number) => [
      [number, "server-distil", "server", 20, 10],
      [number, "client-distil", "harbour", 5, 0],
      [number, "evaluate", "server", 0, 20],
      [number, "evaluate", "harbour", 0, 2],
    ];
    expect(told).toEqual([
      [1, "client-train", "harbour", 12, 1],
      [1, "server-extract", "server", 0, 10],
      ...round(1),
      [2, "client-train", "harbour", 12, 1],
      ...round(2),
    ]);
  });

  it("is more where rounds are judged: each party's set before it has trained, and after each round", () => {
    const judged = { validation: { tokens: 1_000, bytes: 5_000 }, joinsAtRound: 2 };
    const size = runSize({
      rounds: 3,
      server: partySize({ id: "server", validation: { tokens: 100, bytes: 500 } }),
      clients: [partySize(judged), partySize({ id: "ward" })],
      baselines: [
        { party: "harbour", trainsOnPrivate: true, trainsOnPublic: false },
        { party: "server", trainsOnPrivate: false, trainsOnPublic: true },
        { party: "server", trainsOnPrivate: false, trainsOnPublic: false },
      ],
    });
    const unjudged = (party: PartySize): PartySize => ({ ...party, validation: undefined });
    const without = workerJobs({ ...size, server: unjudged(size.server), clients: size.clients.map(unjudged) });
    const more = workerJobs(size).flatMap((job, index) => {
      const read = job.readTokens - without[index].readTokens;
      return read === 0 ? [] : [[job.round, job.stage, job.party, read]];
    });
    expect(more).toEqual([
      [0, "run-baseline", "harbour", 3_000], // two rounds, and before them
      [0, "run-baseline", "server", 400],
      [1, "server-distil", "server", 200],
      [2, "client-train", "harbour", 1_000],
      [2, "server-distil", "server", 100],
      [2, "client-distil", "harbour", 1_000],
      [3, "server-distil", "server", 100],
      [3, "client-distil", "harbour", 1_000],
    ]);
    const averaged = workerJobs({ ...size, averages: true }).filter(({ stage }) => stage === "client-train");
    expect(averaged.filter(({ party }) => party === "harbour").map(({ readTokens }) => readTokens)).toEqual([
      101_000, 101_000,
    ]);
  });

  it("needs the weights in float32, and room", () => {
    expect(workerMemoryBytes(partySize({ parameters: 7e9, adapterBytes: 0 }))).toBeGreaterThan(28e9);
    expect(workerMemoryBytes(partySize({ parameters: 1_000, adapterBytes: 10 }))).toBe(1_000 * 5 + 40);
  });
});

describe("the cost of a run", () => {
  it("is the sum of its services", () => {
    const told = estimateCost(runSize({ rounds: 2, clients: clients(3) }), SPOT);
    expect(told.dollars).toBeCloseTo(
      told.lines.reduce((sum, { dollars }) => sum + dollars, 0),
      12,
    );
    expect(told.lines.every(({ dollars }) => dollars > 0)).toBe(true);
  });

  it.each([
    ["clients", { clients: clients(5) }],
    ["rounds", { rounds: 2 }],
    ["public samples", { publicSamples: 2_000 }],
    ["epochs", { clients: [partySize({ privateEpochs: 5 })] }],
  ])("grows with %s", (_, more) => {
    expect(estimateCost(runSize(more), SPOT).dollars).toBeGreaterThan(estimateCost(runSize(), SPOT).dollars);
  });

  it("of machines on spot is the assumed share, of everything else the same", () => {
    const onSpot = estimateCost(runSize(), SPOT);
    const onDemand = estimateCost(runSize(), { ...SPOT, spot: false });
    expect(lineOf(onSpot, "EC2")!.dollars).toBeCloseTo(lineOf(onDemand, "EC2")!.dollars * SPOT_SHARE, 10);
    expect(lineOf(onSpot, "EC2")!.quantity).toMatch(/ h of g5\.xlarge, spot$/);
    expect(onDemand.dollars - onSpot.dollars).toBeCloseTo(lineOf(onDemand, "EC2")!.dollars * (1 - SPOT_SHARE), 10);
  });

  it("counts the machines' hours as given, where they are known", () => {
    const told = estimateCost(runSize(), { ...SPOT, machineHours: 10 });
    expect(told.workers.paidHours).toBe(10);
    expect(lineOf(told, "EC2")!.dollars).toBeCloseTo(10 * ON_DEMAND_HOURS["g5.xlarge"] * SPOT_SHARE, 10);
  });

  it("leaves a site's own machine to the site, but for what it downloads and the messages that it takes", () => {
    const here = estimateCost(runSize({ clients: clients(2) }), SPOT);
    const there = estimateCost(
      runSize({ clients: clients(2).map((one) => ({ ...one, compute: "worker" as const })) }),
      SPOT,
    );
    expect(there.workers.paidHours).toBeLessThan(here.workers.paidHours);
    expect(there.workers.siteHours).toBeGreaterThan(0);
    expect(there.sqsRequests).toBeGreaterThan(here.sqsRequests);
    expect(lineOf(there, "Data transfer")!.dollars).toBeGreaterThan(0);
    expect(lineOf(here, "Data transfer")).toBeUndefined();
    expect(there.states).toMatchObject({ transitions: here.states.transitions, events: here.states.events });
  });

  it("is billed in lines that say what of, reckoned here once more", () => {
    const size = runSize({ rounds: 2, clients: [partySize(), partySize({ id: "quay", compute: "worker" })] });
    const told = estimateCost(size, { ...SPOT, spot: false });
    const { requests, workers, lambda } = told;
    const total = (name: "reads" | "writes" | "bytesRead" | "bytesWritten") =>
      requests.reduce((sum, row) => sum + row[name], 0);

    const jobs = workerJobs(size);
    const accelerator = acceleratorOf("g5.xlarge");
    const parties = [size.server, ...size.clients];
    const seconds = (compute: string, start: number) =>
      jobs
        .map((job) => ({ job, party: parties.find(({ id }) => id === job.party)! }))
        .filter(({ party }) => party.compute === compute)
        .reduce((sum, { job, party }) => sum + processSeconds(job, party, accelerator) + start, 0);
    expect(workers).toEqual({
      jobs: jobs.length,
      flops: jobs.reduce((sum, { flops }) => sum + flops, 0),
      paidHours: expect.closeTo(seconds("ecs", 180) / 3600, 9),
      siteHours: expect.closeTo(seconds("worker", 0) / 3600, 9),
    });

    // 1 plan, 2 maps, 2 × 2 × 2 × 16 shards, 3 choices a round, 1 close a round, 1 publication
    expect(lambda.invocations).toBe(1 + 2 + 128 + 6 + 2 + 1);
    const gigabyteSeconds = requests.reduce((sum, { stage, runs, bytesRead, bytesWritten }) => {
      const pairSeconds = stage === "map-vocabulary" ? 2 * 32_000 * 32_000 * 1e-8 : 0;
      const megabytes = FUNCTION_MEGABYTES[stage] ?? 0;
      return sum + ((runs + (bytesRead + bytesWritten) / 20e6 + pairSeconds) * megabytes) / 1024;
    }, 0);
    expect(lambda.gigabyteSeconds).toBeCloseTo(gigabyteSeconds, 6);

    // 128 shards and the site's 3 jobs a round, three requests each, and 90 an hour of its work
    const sqs = Math.ceil((128 + 6) * 3 + workers.siteHours * 90);
    expect(told.sqsRequests).toBe(sqs);
    const kms = Math.ceil((total("reads") + total("writes") + sqs) / 100);
    expect(told.kmsRequests).toBe(kms);
    expect(told.logBytes).toBeCloseTo(
      told.states.events * 500 + lambda.invocations * 2_000 + workers.paidHours * 3_600 * 1_750,
      3,
    );

    const read = (stage: string) => requests.find((row) => row.stage === stage)!.bytesRead;
    const left = (read("client-train") + read("client-distil") + (read("evaluate") * 2) / 3) / 2;
    const hours = workers.paidHours;
    const stored = total("bytesWritten") / 1e9;
    const expected: [service: string, quantity: string, dollars: number][] = [
      ["EC2", `${hours.toFixed(2)} h of g5.xlarge, on demand`, hours * 1.006],
      ["EBS", "100 GB for those hours", (hours / 730) * 8],
      ["Public IPv4", "an address for those hours", hours * 0.005],
      ["Step Functions", `${told.states.transitions} state transitions`, told.states.transitions * 25e-6],
      [
        "Lambda",
        `140 invocations, ${Math.round(gigabyteSeconds)} GB-seconds`,
        140 * 0.2e-6 + gigabyteSeconds * 0.0000133334,
      ],
      [
        "S3 requests",
        `${total("writes")} writes, ${total("reads")} reads`,
        total("writes") * 5e-6 + total("reads") * 0.4e-6,
      ],
      ["S3 storage", `${stored.toFixed(2)} GB for 1 month`, stored * 0.023],
      ["SQS", `${sqs} requests`, sqs * 0.4e-6],
      ["KMS", `${kms} requests`, kms * 3e-6],
      ["CloudWatch Logs", `${(told.logBytes / 1e6).toFixed(1)} MB`, (told.logBytes / 1e9) * 0.5],
      ["X-Ray", "140 traces at most", 140 * 5e-6],
      ["Data transfer", `${(left / 1e9).toFixed(2)} GB to sites' own workers`, (left / 1e9) * 0.09],
    ];
    expect(told.lines).toEqual(
      expected.map(([service, quantity, dollars]) => ({ service, quantity, dollars: expect.closeTo(dollars, 9) })),
    );
    expect(told.dollars).toBeCloseTo(
      expected.reduce((sum, [, , dollars]) => sum + dollars, 0),
      8,
    );
  });

  it("reckons every map of the largest client's vocabulary", () => {
    const seconds = (...sizes: number[]) =>
      estimateCost(
        runSize({ clients: sizes.map((vocabularySize, at) => partySize({ id: `${at}`, vocabularySize })) }),
        SPOT,
      ).lambda.gigabyteSeconds;
    expect(seconds(1_000, 2_000_000)).toBeGreaterThan(10 * seconds(1_000, 1_000));
    expect(seconds(2_000_000, 1_000)).toBeGreaterThan(10 * seconds(1_000, 1_000));
  });

  it("counts what a site's baselines download, and not the server's", () => {
    const clientsAtSites = [partySize({ compute: "worker" })];
    const dollars = (...parties: string[]) => {
      const baselines = parties.map((party) => ({ party, trainsOnPrivate: false, trainsOnPublic: false }));
      const told = estimateCost(runSize({ clients: clientsAtSites, baselines }), SPOT);
      return { line: lineOf(told, "Data transfer")!.dollars, requests: told.requests };
    };
    const none = dollars();
    const one = dollars("harbour");
    const both = dollars("harbour", "server");
    const downloaded = (told: typeof none) => told.requests.find(({ stage }) => stage === "run-baseline")!.bytesRead;
    expect(one.line - none.line).toBeCloseTo((downloaded(one) / 1e9) * 0.09, 4);
    expect(both.line - none.line).toBeCloseTo((downloaded(both) / 2 / 1e9) * 0.09, 4);
  });

  it("counts the site's hours as its own, also where the machines' hours are given", () => {
    const size = runSize({
      server: partySize({ id: "server", compute: "worker" }),
      clients: [partySize({ compute: "worker" })],
    });
    const told = estimateCost(size, { ...SPOT, machineHours: 5 });
    expect(told.workers.paidHours).toBe(5);
    expect(told.budgetAfterRound).toEqual([0]);
  });

  it("counts a site's messages as its worker hides them", () => {
    expect(SERVICE_ASSUMPTIONS.extensionsPerHour).toBe((3600 / HIDDEN_SECONDS) * HIDES_PER_TIMEOUT);
  });

  it("on Fargate has no volumes and no GPU", () => {
    const told = estimateCost(runSize(), { ...SPOT, instanceType: "fargate-4vcpu-16gb" });
    expect(told.lines.map(({ service }) => service)).toEqual([
      ...["Fargate", "Public IPv4", "Step Functions", "Lambda", "S3 requests", "S3 storage"],
      ...["SQS", "KMS", "CloudWatch Logs", "X-Ray"],
    ]);
    expect(lineOf(told, "Fargate")!.dollars).toBeGreaterThan(0);
  });

  it("refuses a machine that it knows nothing of", () => {
    const unknown = expect.objectContaining({ code: "PRICE_UNKNOWN" });
    expect(() => estimateCost(runSize(), { ...SPOT, instanceType: "m7i.large" })).toThrow(unknown);
    expect(() => estimateCost(runSize(), { ...SPOT, instanceType: "g5.huge" })).toThrow(unknown);
  });

  it.each(Object.keys(ON_DEMAND_HOURS))("knows how fast %s is, since it knows its price", (instanceType) => {
    expect(acceleratorOf(instanceType).flopsPerSecond).toBeGreaterThan(1e11);
  });
});

describe("the budget of a run", () => {
  const told = estimateCost(runSize({ rounds: 4 }), SPOT);

  it("is the time of worker processes at the machine's price, without their start", () => {
    const size = runSize({ rounds: 2, baselines: [{ party: "harbour", trainsOnPrivate: true, trainsOnPublic: true }] });
    const parties = [size.server, ...size.clients];
    const spent = (upTo: number) =>
      workerJobs(size)
        .filter(({ round }) => round <= upTo)
        .reduce((sum, job) => {
          const party = parties.find(({ id }) => id === job.party)!;
          return sum + (processSeconds(job, party, acceleratorOf("g5.xlarge")) / 3600) * 1.006 * SPOT_SHARE;
        }, 0);
    const reckoned = estimateCost(size, SPOT);
    expect(reckoned.budgetAfterRound).toEqual([expect.closeTo(spent(1), 9), expect.closeTo(spent(2), 9)]);
    const { paidHours } = reckoned.workers;
    const twice = estimateCost(size, { ...SPOT, machineHours: 2 * paidHours });
    expect(twice.budgetAfterRound).toEqual([expect.closeTo(2 * spent(1), 9), expect.closeTo(2 * spent(2), 9)]);
  });

  it("is used up round by round", () => {
    expect(told.budgetAfterRound).toHaveLength(4);
    expect([...told.budgetAfterRound].sort((a, b) => a - b)).toEqual(told.budgetAfterRound);
  });

  it("ends the run after the round that uses it up, and never after the last", () => {
    const [first, second, , last] = told.budgetAfterRound;
    expect(roundOfBudgetStop(told, first / 2)).toBe(1);
    expect(roundOfBudgetStop(told, second)).toBe(2);
    expect(roundOfBudgetStop(told, last)).toBeNull();
    expect(roundOfBudgetStop(told, last * 2)).toBeNull();
  });
});

describe("the limits of a run", () => {
  it("come nearer with clients and shards", () => {
    const small = limitShares(estimateCost(runSize(), SPOT));
    const large = limitShares(estimateCost(runSize({ clients: clients(64) }), SPOT));
    const { longestHistory, payloadBytes } = estimateCost(runSize(), SPOT).states;
    expect(small).toEqual({ history: longestHistory / 25_000, payload: payloadBytes / 262_144 });
    expect(small.history).toBeLessThan(0.05);
    expect(large.history).toBeGreaterThan(0.5);
    expect(large.payload).toBeGreaterThan(small.payload);
  });
});
