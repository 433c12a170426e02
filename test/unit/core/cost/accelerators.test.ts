import { describe, expect, it } from "@jest/globals";
import { acceleratorOf } from "../../../../shared/src/core/cost/accelerators.ts";

describe("acceleratorOf", () => {
  it.each([
    ["g4dn.xlarge", { name: "NVIDIA T4", memoryBytes: 17_179_869_184, flopsPerSecond: 2.43e12, gpus: 1 }],
    ["g6e.24xlarge", { name: "NVIDIA L40S", memoryBytes: 51_539_607_552, flopsPerSecond: 54.9e12, gpus: 4 }],
    ["p5.48xlarge", { name: "NVIDIA H100", memoryBytes: 85_899_345_920, flopsPerSecond: 148.2e12, gpus: 8 }],
  ])("gives one GPU's memory, three tenths of its peak, and how many %s has", (type, expected) => {
    const found = acceleratorOf(type);
    expect(found).toEqual({ ...expected, flopsPerSecond: expect.closeTo(expected.flopsPerSecond, -6) });
  });

  it("gives a Fargate task its four processors, as fast as they were measured, and no GPU", () => {
    expect(acceleratorOf("fargate-4vcpu-16gb")).toEqual({
      name: "4 vCPU",
      memoryBytes: 17_179_869_184,
      flopsPerSecond: expect.closeTo(3.2146e11, -8),
      gpus: 0,
    });
  });

  it.each(["m5.large", "toString.large"])("names all families where it does not know one: %s", (type) => {
    expect(() => acceleratorOf(type)).toThrow(
      expect.objectContaining({
        code: "PRICE_UNKNOWN",
        message: `"${type}": expected fargate-4vcpu-16gb or an instance type of g4dn, g5, g6, g6e, p4d, p4de, p5`,
      }),
    );
  });
});
