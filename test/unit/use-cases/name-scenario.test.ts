import { describe, expect, it } from "@jest/globals";
import type { Plan } from "../../../shared/src/contracts/plan.ts";
import { renderReport } from "../../../shared/src/report/render-report.ts";
import { nameScenario } from "../../../shared/src/use-cases/name-scenario.ts";
import { SUMMARY } from "../../support/summary.ts";
import { toyPlan } from "../../support/toy-plan.ts";

const PLAN = toyPlan();
const [SERVER, ...CLIENTS] = PLAN.parties;

function planOf(parties: Plan["parties"], direction: Plan["spec"]["distillation"]["direction"] = "both") {
  return { parties, spec: { ...PLAN.spec, distillation: { ...PLAN.spec.distillation, direction } } };
}

describe("The scenario of a federation", () => {
  it("is homogeneous where all clients have one model, whatever the server's", () => {
    const other = { ...SERVER, configHash: "cd".repeat(32) };
    expect(CLIENTS.length).toBeGreaterThan(1);
    expect(nameScenario(planOf([other, ...CLIENTS]))).toBe("homogeneous");
  });

  it.each(["configHash", "tokenizerHash", "weightsFingerprint"] as const)(
    "is heterogeneous where one client's %s is another",
    (hash) => {
      const [first, ...others] = CLIENTS;
      const parties = [SERVER, { ...first, [hash]: "cd".repeat(32) }, ...others];
      expect(nameScenario(planOf(parties))).toBe("heterogeneous");
    },
  );

  it("is one-to-one with one client, and named by its direction where that is not both", () => {
    expect(nameScenario(planOf([SERVER, CLIENTS[0]]))).toBe("one-to-one");
    expect(nameScenario(planOf([SERVER, CLIENTS[0]], "to-clients"))).toBe("one-way");
    expect(nameScenario(planOf(PLAN.parties, "none"))).toBe("no transfer");
  });

  it("stands at the head of the report", () => {
    expect(renderReport({ ...SUMMARY, scenario: "one-to-one" })).toContain("One-to-one: a server and one client.");
    expect(renderReport(SUMMARY)).not.toContain("One-to-one");
  });
});
