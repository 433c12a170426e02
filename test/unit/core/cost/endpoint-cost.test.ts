import { describe, expect, it } from "@jest/globals";
import { endpointCost } from "../../../../shared/src/core/cost/endpoint-cost.ts";

describe("what an endpoint costs", () => {
  it("on GPU machines, is a load balancer, two addresses and the keys' endpoint while nothing runs", () => {
    const { idleMonth, taskHour } = endpointCost("gpu", "g6.xlarge");
    // 730 h × (0.0225 + 2 × 0.005 + 2 × 0.01) + key 1 + secret 0.4 + 12 alarms + 3 metrics + dashboard 3
    expect(idleMonth).toBeCloseTo(38.325 + 1 + 0.4 + 1.2 + 0.9 + 3, 6);
    // the machine, its address, and 200 GB of disk at 0.08 a month
    expect(taskHour).toBeCloseTo(0.8048 + 0.005 + 16 / 730, 6);
  });

  it("on Fargate, is less by the keys' endpoint, and without a disk", () => {
    const { idleMonth, taskHour } = endpointCost("cpu", "fargate-4vcpu-16gb");
    expect(idleMonth).toBeCloseTo(endpointCost("gpu", "g6.xlarge").idleMonth - 14.6, 6);
    expect(taskHour).toBeCloseTo(0.23804, 6);
  });

  it("is not guessed for a machine whose price is not known", () => {
    expect(() => endpointCost("gpu", "z9.huge")).toThrow("no price of instance type");
  });
});
