import { describe, expect, it } from "@jest/globals";
import { matches, rulesOf } from "../../../cli/src/local/events-rules.ts";

const event = {
  source: "aws.s3",
  detail: { bucket: { name: "control" }, object: { key: "runs/a/run.yaml", size: 3 } },
};

describe("event patterns", () => {
  it.each([
    ["equal values", { source: ["aws.s3"] }, true],
    ["one of several", { source: ["aws.ec2", "aws.s3"] }, true],
    ["another value", { source: ["aws.ec2"] }, false],
    ["nested members", { detail: { bucket: { name: ["control"] } } }, true],
    ["a wildcard", { detail: { object: { key: [{ wildcard: "runs/*/run.yaml" }] } } }, true],
    ["a wildcard whose end differs", { detail: { object: { key: [{ wildcard: "runs/*/plan.json" }] } } }, false],
    ["a wildcard in which a dot is a dot", { detail: { object: { key: [{ wildcard: "runs/*/run?yaml" }] } } }, false],
    ["a member that is missing", { detail: { version: ["1"] } }, false],
    ["numbers", { detail: { object: { size: [3] } } }, true],
  ])("know %s", (_, pattern, expected) => {
    expect(matches(pattern, event)).toBe(expected);
  });

  it("with an operator that is not served are refused rather than taken for a mismatch", () => {
    expect(() => matches({ source: [{ prefix: "aws." }] }, event)).toThrow("the operator prefix is not served");
  });
});

describe("rules", () => {
  const rule = (properties: object) => ({
    id: "S/R",
    type: "AWS::Events::Rule",
    name: "r",
    arn: "a",
    folder: "",
    properties: { EventPattern: { source: ["aws.s3"] }, ...properties },
  });

  it("hand their targets the event", () => {
    const targets = rulesOf([rule({ Targets: [{ Arn: "m" }] })])(event);
    expect(targets.map(({ arn, input }) => [arn, input(event)])).toEqual([["m", event]]);
  });

  it("that would hand on something else are refused", () => {
    expect(() => rulesOf([rule({ Targets: [{ Arn: "m", InputPath: "$.detail" }] })])).toThrow("InputPath");
  });

  it("that are disabled are left out", () => {
    expect(rulesOf([rule({ State: "DISABLED", Targets: [{ Arn: "m" }] })])(event)).toEqual([]);
  });
});
