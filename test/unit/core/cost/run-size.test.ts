import { describe, expect, it } from "@jest/globals";
import { estimateCost, roundOfBudgetStop } from "../../../../shared/src/core/cost/estimate-cost.ts";
import { isInRound, machineSizeOf, roundsOf, type VariantSize } from "../../../../shared/src/core/cost/run-size.ts";
import { workerJobs } from "../../../../shared/src/core/cost/worker-time.ts";
import { partySize, runSize } from "../../../support/run-size.ts";

const fedavg: VariantSize = { name: "fedavg", direction: "none", averages: true, trainsOnPublic: false };
const oneWay: VariantSize = { name: "one-way", direction: "to-clients", averages: false, trainsOnPublic: true };
const server = partySize({ id: "server", publicTokens: 1_000, publicEpochs: 2, privateEpochs: 3, heldOutTokens: 7 });
const client = (id: string, stay: { joinsAtRound?: number; leavesAfterRound?: number } = {}) =>
  partySize({
    id,
    publicTokens: 500,
    publicEpochs: 4,
    privateTokens: 300,
    privateEpochs: 5,
    heldOutTokens: 9,
    ...stay,
  });
const size = runSize({
  rounds: 2,
  publicSamples: 6,
  samplesPerShard: 2,
  server,
  clients: [client("harbour"), client("quay", { joinsAtRound: 2 })],
  variants: [fedavg, oneWay],
});
const tokensOf = (variant: string | null, round: number) =>
  workerJobs(size)
    .filter((job) => job.variant === variant && job.round === round)
    .map(({ stage, party, trainedTokens, readTokens }) => [stage, party, trainedTokens, readTokens]);

describe("a party's rounds", () => {
  it("are all unless it comes later or leaves earlier", () => {
    const rounds = (stay: Parameters<typeof client>[1]) =>
      [1, 2, 3, 4].filter((round) => isInRound(client("quay", stay), round));
    expect(rounds({})).toEqual([1, 2, 3, 4]);
    expect(rounds({ joinsAtRound: 2 })).toEqual([2, 3, 4]);
    expect(rounds({ leavesAfterRound: 2 })).toEqual([1, 2]);
    expect(rounds({ joinsAtRound: 3, leavesAfterRound: 3 })).toEqual([3]);
  });
});

describe("a run's rounds", () => {
  it("are its own and then each variant's, of whoever takes part", () => {
    expect(
      roundsOf(size).map(({ variant, round, clients, parties, begun, extracts }) => [
        ...[variant, round, clients.map(({ id }) => id).join(), parties.map(({ id }) => id).join(), begun, extracts],
      ]),
    ).toEqual([
      [null, 1, "harbour", "server,harbour", false, true],
      [null, 2, "harbour,quay", "server,harbour,quay", false, false],
      ["fedavg", 1, "harbour", "harbour", true, false],
      ["fedavg", 2, "harbour,quay", "harbour,quay", false, false],
      ["one-way", 1, "harbour", "harbour", true, false],
      ["one-way", 2, "harbour,quay", "harbour,quay", false, false],
    ]);
  });

  it("tell the machines' size: shards go where knowledge goes", () => {
    const { rounds } = machineSizeOf(size);
    expect(rounds.map(({ toServer, toClients }) => [toServer, toClients])).toEqual([
      [3, 3],
      [6, 6],
      [0, 0],
      [0, 0],
      [0, 3],
      [0, 6],
    ]);
    expect(rounds.map(({ averages }) => averages)).toEqual([false, false, true, true, false, false]);
    const silent = machineSizeOf({ ...size, direction: "none", variants: [] });
    expect(silent.rounds.map(({ extracts }) => extracts)).toEqual([false, false]);
  });
});

describe("the work of a run", () => {
  it("is in its own rounds that of everybody", () => {
    expect(tokensOf(null, 1)).toEqual([
      ["client-train", "harbour", 1_500, 500],
      ["server-extract", "server", 0, 1_000],
      ["server-distil", "server", 2_000, 1_000],
      ["client-distil", "harbour", 2_000, 0],
      ["evaluate", "server", 0, 7],
      ["evaluate", "harbour", 0, 9],
    ]);
  });

  it("is in a variant what differs from the run: no beginning, no server, and no public set where it has none", () => {
    expect(tokensOf("fedavg", 1)).toEqual([
      ["client-distil", "harbour", 0, 0],
      ["evaluate", "harbour", 0, 9],
    ]);
    expect(tokensOf("fedavg", 2).slice(0, 2)).toEqual([
      ["client-train", "harbour", 1_500, 0],
      ["client-train", "quay", 1_500, 0],
    ]);
    expect(tokensOf("one-way", 2).slice(0, 3)).toEqual([
      ["client-train", "harbour", 1_500, 500],
      ["client-train", "quay", 1_500, 500],
      ["client-distil", "harbour", 2_000, 0],
    ]);
  });

  it("of a baseline is that of its party's rounds, and of the private sets that it is given", () => {
    const trained = (party: string, privateTokens?: number) =>
      workerJobs({ ...size, baselines: [{ party, trainsOnPrivate: true, trainsOnPublic: true, privateTokens }] })[0]
        .trainedTokens;
    expect(trained("harbour")).toBe(2 * (1_500 + 2_000));
    expect(trained("quay")).toBe(1_500 + 2_000);
    expect(trained("server", 800)).toBe(2 * (3 * 800 + 2_000));
  });
});

describe("a budget", () => {
  it("goes on with the variants' rounds after the run's own", () => {
    const estimate = estimateCost(size, { instanceType: "g5.xlarge", spot: false, machineHours: null });
    const { budgetAfterRound } = estimate;
    expect(budgetAfterRound).toHaveLength(6);
    expect(budgetAfterRound).toEqual([...budgetAfterRound].sort((a, b) => a - b));
    expect(budgetAfterRound[2]).toBeGreaterThan(budgetAfterRound[1]);
    expect(roundOfBudgetStop(estimate, budgetAfterRound[1])).toBe(2);
    expect(roundOfBudgetStop(estimate, budgetAfterRound[4])).toBe(5);
    expect(roundOfBudgetStop(estimate, budgetAfterRound[5])).toBeNull();
  });

  it("is not touched by rounds that sites pay for", () => {
    const atSite = { ...client("harbour"), compute: "worker" as const };
    const baselines = [{ party: "server", trainsOnPrivate: false, trainsOnPublic: true }];
    const options = { instanceType: "g5.xlarge", spot: false, machineHours: null };
    const { budgetAfterRound } = estimateCost({ ...size, clients: [atSite], baselines, variants: [fedavg] }, options);
    expect(budgetAfterRound[1]).toBeGreaterThan(budgetAfterRound[0]);
    expect(budgetAfterRound.slice(2)).toEqual([budgetAfterRound[1], budgetAfterRound[1]]);
    const alone = estimateCost({ ...size, clients: [atSite], variants: [] }, options);
    expect(budgetAfterRound[0]).toBeGreaterThan(alone.budgetAfterRound[0]);
  });

  it("of hundreds of rounds is reckoned in seconds, not minutes", () => {
    const long = { ...size, rounds: 200, clients: Array.from({ length: 4 }, (_, index) => client(`quay-${index}`)) };
    const { budgetAfterRound } = estimateCost(long, { instanceType: "g5.xlarge", spot: false, machineHours: null });
    expect(budgetAfterRound).toHaveLength(600);
  }, 30_000);
});
