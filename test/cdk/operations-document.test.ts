import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { Template } from "aws-cdk-lib/assertions";
import { functionNames } from "../../cdk/lib/constructs/function-bundle.ts";
import { buildInference } from "../support/inference-templates.ts";
import { propertiesOf, synthesizeTemplates } from "../support/templates.ts";

const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
const explained = [...page.matchAll(/^\| `(fedmkt-ENV-[\w-]+)` \|/gm)].map(([, name]) => name);

/** As the page writes it: one row for all functions, one for all parties. */
function general(name: unknown): string {
  const text =
    typeof name === "string"
      ? name
      : JSON.stringify(name).replace(/^.*"(fedmkt-dev-party-)".*"(-[a-z-]+)".*$/, "$1ID$2");
  const fn = functionNames().find((one) => [`fedmkt-dev-${one}-errors`, `fedmkt-dev-${one}-throttles`].includes(text));
  return (fn ? text.replace(fn, "FUNCTION") : text).replace("fedmkt-dev-", "fedmkt-ENV-");
}

describe("docs/operations.md", () => {
  it("says of every alarm what to do, and of no other", () => {
    const templates = [...Object.values(synthesizeTemplates()), Template.fromStack(buildInference().inference!)];
    const alarms = templates.flatMap((template) =>
      propertiesOf(template, "AWS::CloudWatch::Alarm")
        // the others scale, and tell nobody
        .filter(([, { OKActions }]) => OKActions !== undefined)
        .map(([, { AlarmName }]) => general(AlarmName)),
    );
    expect([...new Set(alarms)].sort()).toEqual([...explained].sort());
  });
});
