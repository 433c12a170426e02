// biome-ignore-all lint/suspicious/noTemplateCurlyInString: CloudFormation's own placeholders
import { describe, expect, it } from "@jest/globals";
import { evaluator, type Template } from "../../../cli/src/local/cloudformation.ts";

const template: Template = {
  Parameters: {
    Stage: { Type: "String", Default: "test" },
    Region: { Type: "String", Default: "us" },
    Zones: { Type: "CommaDelimitedList" },
    Unset: { Type: "String" },
  },
  Conditions: { IsTest: { "Fn::Equals": [{ Ref: "Stage" }, "test"] }, IsNot: { "Fn::Not": [{ Condition: "IsTest" }] } },
  Mappings: { Sizes: { test: { memory: 512 } } },
};
const evaluate = evaluator(
  "Stack",
  template,
  { Region: "eu", Zones: "a,b" },
  {
    ref: (id) => ({ Bucket: "the-bucket" })[id],
    attribute: (id, name) => (id === "Bucket" && name === "Arn" ? "arn:aws:s3:::the-bucket" : undefined),
    imported: (name) => ({ "State:Queue": "https://queue" })[name],
  },
);

describe("CloudFormation's functions", () => {
  it.each([
    ["Ref", { Ref: "Bucket" }, "the-bucket"],
    ["a pseudo parameter", { Ref: "AWS::Partition" }, "aws"],
    ["a parameter's default", { Ref: "Stage" }, "test"],
    ["a parameter that is given", { Ref: "Region" }, "eu"],
    ["a list parameter", { "Fn::Select": [1, { Ref: "Zones" }] }, "b"],
    ["GetAtt as a list", { "Fn::GetAtt": ["Bucket", "Arn"] }, "arn:aws:s3:::the-bucket"],
    ["GetAtt as text", { "Fn::GetAtt": "Bucket.Arn" }, "arn:aws:s3:::the-bucket"],
    ["Join", { "Fn::Join": ["-", ["a", { Ref: "Bucket" }, 3]] }, "a-the-bucket-3"],
    [
      "Sub",
      { "Fn::Sub": "${Bucket} ${Bucket.Arn} ${AWS::Region} ${!kept}" },
      "the-bucket arn:aws:s3:::the-bucket us-east-1 ${kept}",
    ],
    ["Sub with variables", { "Fn::Sub": ["${x}/${Bucket}", { x: { Ref: "Stage" } }] }, "test/the-bucket"],
    ["Select and Split", { "Fn::Select": [1, { "Fn::Split": [":", "a:b:c"] }] }, "b"],
    ["ImportValue", { "Fn::ImportValue": "State:Queue" }, "https://queue"],
    ["FindInMap", { "Fn::FindInMap": ["Sizes", { Ref: "Stage" }, "memory"] }, 512],
    ["If", { "Fn::If": ["IsTest", 1, 2] }, 1],
    ["nested conditions", { "Fn::If": ["IsNot", 1, 2] }, 2],
    ["NoValue", { a: { Ref: "AWS::NoValue" }, b: [{ Ref: "AWS::NoValue" }, 1] }, { b: [1] }],
  ])("evaluates %s", (_, value, expected) => {
    expect(evaluate(value)).toEqual(expected);
  });

  it("says which stack and which name point nowhere, and which function is not served", () => {
    expect(() => evaluate({ Ref: "Nobody" })).toThrow(
      expect.objectContaining({ code: "TEMPLATE_REFERENCE", message: "stack Stack: Ref Nobody points nowhere" }),
    );
    expect(() => evaluate({ "Fn::ImportValue": "No" })).toThrow("Fn::ImportValue No points nowhere");
    expect(() => evaluate({ Ref: "Unset" })).toThrow("Ref Unset points nowhere");
    expect(() => evaluate({ "Fn::Select": [2, { "Fn::Split": [":", "a:b"] }] })).toThrow("item 2 of 2 points nowhere");
    expect(() => evaluate({ "Fn::Cidr": ["10.0.0.0/16", 2, 8] })).toThrow(
      expect.objectContaining({ code: "TEMPLATE_FUNCTION" }),
    );
  });
});
