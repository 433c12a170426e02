import { describe, expect, it } from "@jest/globals";
import { WORKERS_AT_A_TIME } from "../../cdk/lib/constructs/stage-states.ts";
import { deploymentSettings } from "../../cdk/lib/deployment-settings.ts";
import { hourlyDollars } from "../../shared/src/core/cost/prices.ts";

describe("the settings", () => {
  it("are those of dev unless another environment is named", () => {
    expect(deploymentSettings()).toMatchObject({ environment: "dev", retain: false });
    expect(deploymentSettings({ environment: "prod" })).toMatchObject({ environment: "prod", retain: true });
  });

  it("refuse an environment or workers that do not exist, naming those that do", () => {
    expect(() => deploymentSettings({ environment: "staging" })).toThrow('expected dev or prod, got "staging"');
    expect(() => deploymentSettings({ workers: "tpu" })).toThrow('expected gpu or cpu, got "tpu"');
  });

  it("have a machine for every job that a run starts side by side, the server's beside the clients'", () => {
    for (const environment of ["dev", "prod"])
      expect(deploymentSettings({ environment }).gpu.maxInstances).toBeGreaterThan(WORKERS_AT_A_TIME);
  });

  it("name machines whose price is known", () => {
    for (const environment of ["dev", "prod"])
      for (const instanceType of deploymentSettings({ environment }).gpu.instanceTypes)
        for (const spot of [true, false]) expect(hourlyDollars(instanceType, spot)).toBeGreaterThan(0);
  });
});
