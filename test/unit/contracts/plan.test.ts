import { describe, expect, it } from "@jest/globals";
import { plan } from "../../../shared/src/contracts/plan.ts";
import { toyPlan } from "../../support/toy-plan.ts";

/** The toy plan as it was written before runs had variants, and clients that come and go. */
function firstVersion() {
  const { version: _, variantOf: __, machine, ...rest } = toyPlan();
  const { run, maps, baselines, first } = machine;
  const { round, aggregation, members } = first;
  const { clients, parties } = members;
  const toServer = members.toServer.map((transfer) => ({ ...transfer, target: "server" }));
  const toClients = members.toClients.map((transfer) => ({ ...transfer, source: "server" }));
  return {
    ...rest,
    version: 1,
    machine: { run, round, clients, parties, maps, toServer, toClients, baselines, aggregation },
  };
}

describe("a plan of version 1", () => {
  it("is read as the plan that the same run has today", () => {
    expect(firstVersion().machine.toServer.length).toBeGreaterThan(0);
    expect(plan.parse(firstVersion())).toEqual(toyPlan());
    // resuming compares what was planned with what would be planned, key by key
    expect(JSON.stringify(plan.parse(firstVersion()))).toBe(JSON.stringify(toyPlan()));
  });

  it("is refused where it is not whole, as any other version is", () => {
    const { machine, ...rest } = firstVersion();
    expect(plan.safeParse({ ...rest, machine: { ...machine, clients: undefined } }).success).toBe(false);
    expect(plan.safeParse({ ...rest, machine, specHash: undefined }).success).toBe(false);
    expect(plan.safeParse({ ...toyPlan(), version: 3 }).success).toBe(false);
  });
});
