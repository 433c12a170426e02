import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "@jest/globals";
import { type App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import type { IConstruct } from "constructs";
import { buildApp, buildSite } from "../../cdk/lib/synthesize.ts";
import { buildInference } from "../support/inference-templates.ts";

/** The same rules, deaf to every reason. */
class Unmoved extends AwsSolutionsChecks {
  constructor() {
    super();
    Object.assign(this, { isAcknowledged: () => false });
  }
}

/** `rule at construct path`, of all that a pack finds. */
function findings(pack: AwsSolutionsChecks, app: App): string[] {
  return pack
    .validateScope(app)
    .violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
    );
}

/** Every reason that is written beside a construct for one of these rules; CDK writes some for rules of its own. */
function reasons(app: App): { rule: string; at: string; reason: string }[] {
  return app.node
    .findAll()
    .flatMap((construct: IConstruct) =>
      construct.node.metadata
        .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .flatMap(({ data }) => Object.entries(data as Record<string, string>))
        .map(([id, reason]) => ({ rule: id.replace(/^annotation::/i, ""), at: construct.node.path, reason })),
    )
    .filter(({ rule }) => rule.startsWith("AwsSolutions-"));
}

const outdir = () => mkdtempSync(path.join(tmpdir(), "fedmkt-nag-"));

const apps = (environment: string): App[] => [
  buildApp({ environment, bundle: false, clients: ["harbour"], clientTemplate: true, outdir: outdir() }).app,
  buildSite({ environment, outdir: outdir() }).app,
  buildInference({ service: "gpu" }, environment).app,
  buildInference({ service: "cpu", tasks: "1-2", addresses: "198.51.100.0/24" }, environment).app,
];

describe.each(["dev", "prod"])("cdk-nag's AwsSolutions rules, on all stacks of %s", (environment) => {
  const built = apps(environment);
  for (const app of built) app.synth();

  it("find nothing that is not explained beside the construct", () => {
    expect(built.flatMap((app) => findings(new AwsSolutionsChecks(), app))).toEqual([]);
  });

  it("would find something without the explanations: they do run", () => {
    for (const app of built) expect(findings(new Unmoved(), app).length).toBeGreaterThan(0);
  });

  it("are told no reason that has outlived its finding", () => {
    for (const app of built) {
      const found = findings(new Unmoved(), app);
      const idle = reasons(app).filter(
        ({ rule, at }) => !found.some((one) => one.startsWith(`${rule} at ${at}/`) || one === `${rule} at ${at}`),
      );
      expect(idle).toEqual([]);
    }
  });

  it("are told reasons in sentences", () => {
    for (const { reason } of built.flatMap(reasons)) expect(reason).toMatch(/^[A-Z].{25,}\.$/);
  });
});
