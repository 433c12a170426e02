import { describe, expect, it } from "@jest/globals";
import { HIDDEN_SECONDS, HIDES_PER_TIMEOUT } from "../../../../gpu-workers/src/queue-worker.ts";
import { acceleratorOf } from "../../../../shared/src/core/cost/accelerators.ts";
import {
  type CostEstimate,
  estimateCost,
  limitShares,
  roundOfBudgetStop,
  SERVICE_ASSUMPTIONS,
} from "../../../../shared/src/core/cost/estimate-cost.ts";
import { ON_DEMAND_HOURS, SPOT_SHARE } from "../../../../shared/src/core/cost/prices.ts";
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

  it("needs the weights in float32, and room", () => {
    expect(workerMemoryBytes(partySize({ parameters: 7e9, adapterBytes: 0 }))).toBeGreaterThan(28e9);
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

  it("counts a site's messages as its worker hides them", () => {
    expect(SERVICE_ASSUMPTIONS.extensionsPerHour).toBe((3600 / HIDDEN_SECONDS) * HIDES_PER_TIMEOUT);
  });

  it("on Fargate has no volumes and no GPU", () => {
    const told = estimateCost(runSize(), { ...SPOT, instanceType: "fargate-4vcpu-16gb" });
    expect(told.lines.map(({ service }) => service)).not.toContain("EBS");
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
    expect(small.history).toBeLessThan(0.05);
    expect(large.history).toBeGreaterThan(0.5);
    expect(large.payload).toBeGreaterThan(small.payload);
  });
});
