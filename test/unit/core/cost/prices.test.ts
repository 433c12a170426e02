import {
  hourlyDollars,
  ON_DEMAND_HOURS,
  PRICE_TABLE,
  SPOT_SHARE,
  UNIT_PRICES,
} from "@fedmkt/shared/core/cost/prices.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";

describe("prices", () => {
  it("say from when, where and from what they are", () => {
    expect(PRICE_TABLE.date).toMatch(/^20\d\d-\d\d-\d\d$/);
    expect(PRICE_TABLE.region).toBe("us-east-1");
    expect(PRICE_TABLE.source).not.toBe("");
  });

  it("are those of AWS's own examples", () => {
    expect(UNIT_PRICES.stateTransition * 1_000).toBeCloseTo(0.025, 12);
    expect(UNIT_PRICES.lambdaInvocation * 1_000_000).toBeCloseTo(0.2, 12);
    expect(UNIT_PRICES.s3Write * 1_000).toBeCloseTo(0.005, 12);
    expect(UNIT_PRICES.s3Read * 1_000).toBeCloseTo(0.0004, 12);
    expect(UNIT_PRICES.sqsRequest * 1_000_000).toBeCloseTo(0.4, 12);
    expect(UNIT_PRICES.kmsRequest * 10_000).toBeCloseTo(0.03, 12);
  });

  it("count a Fargate task by its processors and memory", () => {
    expect(hourlyDollars("fargate-4vcpu-16gb", false)).toBeCloseTo(4 * 0.04048 + 16 * 0.004445, 10);
  });

  it("of a spot machine are the stated share of the on-demand price", () => {
    expect(hourlyDollars("g5.xlarge", false)).toBe(1.006);
    expect(hourlyDollars("g5.xlarge", true)).toBe(1.006 * SPOT_SHARE);
  });

  it.each(["g5.huge", "toString", ""])("refuse an instance type without a price: %j", (instanceType) => {
    const known = Object.keys(ON_DEMAND_HOURS).join(", ");
    const message = `no price of instance type "${instanceType}" is known; known are ${known}`;
    expect(() => hourlyDollars(instanceType, false)).toThrow(InvalidInputError);
    expect(() => hourlyDollars(instanceType, false)).toThrow(
      expect.objectContaining({ code: "PRICE_UNKNOWN", message }),
    );
    expect(known).toContain("fargate-4vcpu-16gb, ");
  });
});
