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
    ["a prefix", { detail: { object: { key: [{ prefix: "runs/" }] } } }, true],
    ["a suffix", { detail: { object: { key: [{ suffix: "run.yaml" }] } } }, true],
    ["a wildcard", { detail: { object: { key: [{ wildcard: "runs/*/run.yaml" }] } } }, true],
    ["a wildcard whose end differs", { detail: { object: { key: [{ wildcard: "runs/*/plan.json" }] } } }, false],
    ["a wildcard in which a dot is a dot", { detail: { object: { key: [{ wildcard: "runs/*/run?yaml" }] } } }, false],
    ["everything but", { source: [{ "anything-but": ["aws.ec2"] }] }, true],
    ["a member that must not exist", { detail: { version: [{ exists: false }] } }, true],
    ["a member that is missing", { detail: { version: ["1"] } }, false],
    ["numbers", { detail: { object: { size: [3] } } }, true],
    ["alternatives", { $or: [{ source: ["x"] }, { detail: { object: { size: [3] } } }] }, true],
  ])("know %s", (_, pattern, expected) => {
    expect(matches(pattern, event)).toBe(expected);
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
  const inputs = (target: object) =>
    rulesOf([rule({ Targets: [{ Arn: "m", ...target }] })])(event).map(({ input }) => input(event));

  it("hand their targets the event, a part of it, a constant, or what a template makes of it", () => {
    expect(inputs({})).toEqual([event]);
    expect(inputs({ InputPath: "$.detail.bucket" })).toEqual([{ name: "control" }]);
    expect(inputs({ Input: '{"a":1}' })).toEqual([{ a: 1 }]);
    const transformer = {
      InputPathsMap: { key: "$.detail.object.key", size: "$.detail.object.size" },
      InputTemplate: '{"key":<key>,"text":"<size> bytes in <key>"}',
    };
    expect(inputs({ InputTransformer: transformer })).toEqual([
      { key: "runs/a/run.yaml", text: "3 bytes in runs/a/run.yaml" },
    ]);
  });

  it("that are disabled are left out", () => {
    expect(rulesOf([rule({ State: "DISABLED", Targets: [{ Arn: "m" }] })])(event)).toEqual([]);
  });
});
