import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "@jest/globals";
import { Template } from "aws-cdk-lib/assertions";
import { buildApp } from "../../cdk/lib/synthesize.ts";
import { propertiesOf } from "../support/templates.ts";

function built(workerImage?: string) {
  const outdir = mkdtempSync(path.join(tmpdir(), "fedmkt-image-"));
  // not against CloudFormation's rules, which take seconds and are another test's
  const { app, pipeline } = buildApp({ bundle: false, validate: false, outdir, workerImage });
  const template = Template.fromStack(pipeline);
  return { folder: app.synth().directory, template };
}
const imageOf = (template: Template) =>
  (propertiesOf(template, "AWS::ECS::TaskDefinition")[0][1].ContainerDefinitions as { Image: unknown }[])[0].Image;
const leave = (template: Template) =>
  JSON.stringify(propertiesOf(template, "AWS::IAM::Policy").filter(([id]) => id.startsWith("WorkersExecution")));

describe("the workers' image", () => {
  it("is the one that is named, and told to the clients' stacks", () => {
    const { template } = built("registry.example/worker:2");
    expect(imageOf(template)).toBe("registry.example/worker:2");
    expect(propertiesOf(template, "AWS::SSM::Parameter").map(([, parameter]) => parameter)).toEqual([
      expect.objectContaining({ Name: "/fedmkt/dev/worker-image", Value: "registry.example/worker:2" }),
    ]);
    expect(leave(template)).not.toContain("ecr:");
  });

  it("is built where the CDK's command line deploys and nobody names another", () => {
    process.env.CDK_CLI_VERSION = "2";
    try {
      expect(JSON.stringify(imageOf(built().template))).toContain(".dkr.ecr.");
    } finally {
      delete process.env.CDK_CLI_VERSION;
    }
    expect(imageOf(built().template)).toBe("fedmkt/gpu-workers:0.1.0");
  });

  it("can change without any client's stack in the way, since they read it when they are deployed", () => {
    const { clientTemplate } = buildApp({ bundle: false, clientTemplate: true });
    const template = Template.fromStack(clientTemplate!);
    expect(template.toJSON().Parameters.WorkerImage).toMatchObject({
      Type: "AWS::SSM::Parameter::Value<String>",
      Default: "/fedmkt/dev/worker-image",
    });
    expect(imageOf(template)).toEqual({ Ref: "WorkerImage" });
  });

  it("is built from this repository where that is asked for, of what the Dockerfile copies and nothing else", () => {
    const { folder, template } = built("build");
    const { dockerImages } = JSON.parse(readFileSync(path.join(folder, "fedmkt-dev-pipeline.assets.json"), "utf8"));
    const [{ source }] = Object.values(dockerImages) as { source: Record<string, string> }[];
    expect(source).toMatchObject({ dockerFile: "gpu-workers/Dockerfile", platform: "linux/amd64" });
    const context = path.join(folder, source.directory);
    const dockerfile = readFileSync(path.join(context, "gpu-workers/Dockerfile"), "utf8");
    const copied = dockerfile
      .split("\n")
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from"))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(copied.length).toBeGreaterThan(5);
    for (const file of copied) expect([file, existsSync(path.join(context, file))]).toEqual([file, true]);
    const tops = readdirSync(context).sort();
    expect(tops).toEqual(
      [...new Set([...copied.map((file) => file.split("/")[0]), "gpu-workers", ".dockerignore"])].sort(),
    );
    expect(JSON.stringify(imageOf(template))).toContain(".dkr.ecr.");
    expect(leave(template)).toContain("ecr:BatchGetImage");
  });
});
