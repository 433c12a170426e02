import { describe, expect, it } from "@jest/globals";
import { modelName } from "../../../../gpu-workers/src/serving/model-name.ts";
import { partyName } from "../../../../shared/src/contracts/identifier.ts";
import { servedName } from "../../../../shared/src/contracts/serving-environment.ts";

describe("the base model's name where none is given", () => {
  it("is its folder's", () => {
    expect(modelName("/srv/models/clinic-a", false)).toBe("clinic-a");
    expect(modelName("s3://bucket/models/SmolLM2-135M", true)).toBe("SmolLM2-135M");
  });

  it("leaves a party of the same name its own, where a registry is followed", () => {
    const name = modelName("/srv/models/clinic-a", true);
    expect(name).toBe("clinic-a:base");
    expect([servedName.safeParse(name).success, partyName.safeParse(name).success]).toEqual([true, false]);
  });

  it("must be given where requests could not say the folder's", () => {
    for (const location of ["/", "/srv/my models", "/srv/.hidden"])
      expect(() => modelName(location, false)).toThrow(/FEDMKT_SERVE_NAME: expected a name for /);
  });
});
