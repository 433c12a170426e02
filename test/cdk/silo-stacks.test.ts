import { describe, expect, it } from "@jest/globals";
import type { Template } from "aws-cdk-lib/assertions";
import { queueWorkerEnvironment } from "../../shared/src/contracts/environment.ts";
import { partyName } from "../../shared/src/contracts/identifier.ts";
import { type DeployedResource, deployStacks } from "../support/deployed-stacks.ts";
import { iamDecision } from "../support/iam-decision.ts";
import { deployTemplates, propertiesOf, synthesizeTemplates } from "../support/templates.ts";

const templates = synthesizeTemplates();
const { client, site } = templates;

/** The longest template that CloudFormation takes in a request, without a bucket to fetch it from. */
const MAX_TEMPLATE_BYTES = 51_200;

const parametersOf = (template: Template) => template.toJSON().Parameters as Record<string, Record<string, string>>;
const required = (template: Template) =>
  Object.entries(parametersOf(template))
    .filter(([, { Default }]) => Default === undefined)
    .map(([name]) => name);

describe.each([
  ["a client's", client],
  ["a site's", site],
])("%s template", (_, template) => {
  it("is deployed by CloudFormation alone: small, without assets, without a bootstrapped account", () => {
    expect(JSON.stringify(template.toJSON()).length).toBeLessThan(MAX_TEMPLATE_BYTES);
    expect(Object.keys(parametersOf(template))).not.toContain("BootstrapVersion");
    expect(JSON.stringify(template.toJSON())).not.toMatch(/cdk-hnb659fds|AssetParameters/);
  });

  it("takes the ids that a spec takes, and no other", () => {
    const pattern = new RegExp(parametersOf(template).Client.AllowedPattern);
    for (const id of [
      "harbour",
      "a",
      "forest-2",
      "Harbour",
      "-a",
      "a_b",
      "a+b",
      "a--b",
      "",
      "a".repeat(40),
      "a".repeat(41),
    ])
      expect([id, pattern.test(id)]).toEqual([id, partyName.safeParse(id).success]);
  });
});

/** Index, separator and what follows a parameter in what is split. */
const SELECT =
  /\{"Fn::Select":\[(\d),\{"Fn::Split":\["(.)",\{"Fn::Join":\["",\[\{"Ref":"JobQueueUrl"\},"([^"]*)"\]\]\}\]\}\]\}/g;

it.each([
  ["a client's", client],
  ["a site's", site],
])(
  "%s private data belong to a role or user, to no session: the bucket's policy would shut all of them out",
  (_, template) => {
    const pattern = new RegExp(parametersOf(template).DataOwner.AllowedPattern);
    for (const owner of ["", "arn:aws:iam::111122223333:role/a/b", "arn:aws:iam::111122223333:user/ann"])
      expect([owner, pattern.test(owner)]).toEqual([owner, true]);
    for (const owner of ["arn:aws:sts::111122223333:assumed-role/a/session", "arn:aws:iam::111122223333:root", "ann"])
      expect([owner, pattern.test(owner)]).toEqual([owner, false]);
  },
);

describe("a client's stack", () => {
  it("needs to be told whose it is, and nothing else", () => {
    expect(required(client)).toEqual(["Client"]);
  });

  it("gives its role, queue and task definition the one name that the machines know", () => {
    const deployed = deployTemplates(templates).filter(({ stack }) => stack === "fedmkt-dev-client-harbour");
    const named = (type: string, property: string) =>
      deployed.filter((one) => one.type === type).map(({ properties }) => properties[property]);
    expect(named("AWS::IAM::Role", "RoleName")).toEqual(["fedmkt-dev-party-harbour"]);
    expect(named("AWS::ECS::TaskDefinition", "Family")).toEqual(["fedmkt-dev-party-harbour"]);
    expect(named("AWS::SQS::Queue", "QueueName")).toContain("fedmkt-dev-party-harbour");
  });

  it("has no private bucket, no key of one and no leave to read one where the data lie elsewhere", () => {
    const types = (parameters: Record<string, string>) =>
      deployTemplates(templates, parameters)
        .filter(({ stack }) => stack === "fedmkt-dev-client-harbour")
        .map(({ type }) => type);
    expect(types({})).toEqual(expect.arrayContaining(["AWS::S3::Bucket", "AWS::KMS::Key"]));
    const without = types({ HostPrivateData: "no" });
    expect(without.filter((type) => /S3|KMS/.test(type))).toEqual([]);
    expect(without.filter((type) => type === "AWS::IAM::Policy")).toHaveLength(1);
  });

  it("alarms on a job that nobody has taken for four hours, and on none that a worker is at", () => {
    const [late] = propertiesOf(client, "AWS::CloudWatch::Alarm")
      .map(([, properties]) => properties)
      .filter(({ AlarmName }) => JSON.stringify(AlarmName).includes("-late"));
    // the age of the oldest message counts those too that are at work
    expect(late).toMatchObject({
      MetricName: "ApproximateNumberOfMessagesVisible",
      Statistic: "Minimum",
      Threshold: 0,
      ComparisonOperator: "GreaterThanThreshold",
    });
    expect(Number(late!.EvaluationPeriods) * Number(late!.Period)).toBe(4 * 3600);
  });

  it("trusts tasks of its account, and a site's worker where one is named, by its external id where one is given", () => {
    const ECS = {
      Effect: "Allow",
      Action: "sts:AssumeRole",
      Principal: { Service: "ecs-tasks.amazonaws.com" },
      Condition: { StringEquals: { "aws:SourceAccount": "000000000000" } },
    };
    const WorkerPrincipal = "arn:aws:iam::111122223333:role/fedmkt-dev-site-harbour";
    const trusted = { Effect: "Allow", Action: "sts:AssumeRole", Principal: { AWS: WorkerPrincipal } };
    expect(trustOf({})).toEqual([ECS]);
    expect(trustOf({ ExternalId: "unused" })).toEqual([ECS]);
    expect(trustOf({ WorkerPrincipal })).toEqual([ECS, trusted]);
    expect(trustOf({ WorkerPrincipal, ExternalId: "harbour-7" })).toEqual([
      ECS,
      { ...trusted, Condition: { StringEquals: { "sts:ExternalId": "harbour-7" } } },
    ]);
  });
});

function trustOf(parameters: Record<string, string>): unknown {
  const role = deployTemplates(templates, parameters).find(({ arn }) =>
    arn.endsWith(":role/fedmkt-dev-party-harbour"),
  )!;
  return (role.properties.AssumeRolePolicyDocument as { Statement: unknown }).Statement;
}

describe("a site's stack", () => {
  const PARTY_ROLE = "arn:aws:iam::444455556666:role/fedmkt-dev-party-harbour";
  const QUEUE = "https://sqs.eu-central-1.amazonaws.com/444455556666/fedmkt-dev-party-harbour";
  const deployedSite = (parameters: Record<string, string> = {}) =>
    deployStacks({
      "fedmkt-dev-site-harbour": {
        template: site.toJSON(),
        parameters: { Client: "harbour", PartyRoleArn: PARTY_ROLE, ...parameters },
      },
    });
  const working = { GpuWorkers: "2", JobQueueUrl: QUEUE, WorkerImage: "fedmkt/gpu-workers:0.1.0" };
  const ROLE = "arn:aws:iam::000000000000:role/fedmkt-dev-site-harbour";
  const bucketOf = (deployed: DeployedResource[]) =>
    deployed.find(({ type, id }) => type === "AWS::S3::Bucket" && id.startsWith("Private"))!.arn;

  it("needs to be told whose it is and which role to take, and nothing else", () => {
    expect(required(site).sort()).toEqual(["Client", "PartyRoleArn"]);
  });

  it("lets its worker read the private data there, and nobody else, the coordinator's role included", () => {
    const deployed = deployedSite();
    const decide = iamDecision(deployed);
    const read = { action: "s3:GetObject", resource: `${bucketOf(deployed)}/private.jsonl` };
    expect(decide({ principal: ROLE, ...read })).toBe(true);
    for (const principal of [PARTY_ROLE, "arn:aws:iam::000000000000:user/administrator"])
      expect(decide({ principal, ...read }, { mayDoAnything: true })).toBe(false);
  });

  it("lets its worker take the party's role at the coordinator, and no other", () => {
    const decide = iamDecision(deployedSite());
    const take = (resource: string) => decide({ principal: ROLE, action: "sts:AssumeRole", resource });
    expect(take(PARTY_ROLE)).toBe(true);
    expect(take(PARTY_ROLE.replace("harbour", "forest"))).toBe(false);
    expect(take(PARTY_ROLE.replace("harbour", "server"))).toBe(false);
  });

  it("has no machine, network or cluster unless workers are asked for, nor without a real account's capacity", () => {
    const without = deployedSite().map(({ type }) => type);
    expect(new Set(without.map((type) => type.split("::")[1]))).toEqual(new Set(["IAM", "KMS", "S3"]));
    expect(deployedSite({ ...working, UseCloudCapacity: "false" }).map(({ type }) => type)).toEqual(without);
    const types = deployedSite(working).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(["AWS::ECS::Service", "AWS::AutoScaling::AutoScalingGroup"]));
    expect(types).not.toContain("AWS::EC2::NatGateway");
  });

  it("runs as many workers of its party's queue as it was asked for, as the contract tells them", () => {
    for (const ExternalId of ["", "harbour-7"]) {
      const deployed = deployedSite({ ...working, ExternalId });
      const one = (type: string) => deployed.find((resource) => resource.type === type)!.properties;
      expect(String(one("AWS::ECS::Service").DesiredCount)).toBe("2");
      const [container] = one("AWS::ECS::TaskDefinition").ContainerDefinitions as Record<string, unknown>[];
      expect(container).toMatchObject({
        ResourceRequirements: [{ Type: "GPU", Value: "1" }],
      });
      const variables = Object.fromEntries(
        (container.Environment as { Name: string; Value: string }[]).map(({ Name, Value }) => [Name, Value]),
      );
      expect(queueWorkerEnvironment.parse(variables)).toMatchObject({
        FEDMKT_CONTROL_BUCKET: "fedmkt-dev-control-444455556666-eu-central-1",
        FEDMKT_ARTEFACT_BUCKET: "fedmkt-dev-artefacts-444455556666-eu-central-1",
        FEDMKT_PARTY: "harbour",
        FEDMKT_JOB_QUEUE_URL: QUEUE,
        FEDMKT_PARTY_ROLE_ARN: PARTY_ROLE,
        FEDMKT_DEVICE: "cuda",
      });
      expect(variables.FEDMKT_EXTERNAL_ID).toBe(ExternalId === "" ? undefined : ExternalId);
      expect(variables.AWS_REGION).toBe("eu-central-1");
    }
  });

  it("has something to select from the queue's address where none is given, whether CloudFormation looks or not", () => {
    const selects = [...JSON.stringify(site.findResources("AWS::ECS::TaskDefinition")).matchAll(SELECT)];
    expect(selects.length).toBeGreaterThan(0);
    for (const [, index, separator, rest] of selects) expect(`${rest}`.split(separator)[Number(index)]).toBeDefined();
  });

  it("refuses GPU machines without the queue's address or without an image, before anything is made", () => {
    const { GpuWorkersNeed } = site.toJSON().Rules as Record<string, Record<string, unknown>>;
    expect(GpuWorkersNeed.RuleCondition).toEqual({ "Fn::Not": [{ "Fn::Equals": [{ Ref: "GpuWorkers" }, "0"] }] });
    expect(GpuWorkersNeed.Assertions).toMatchObject(
      ["JobQueueUrl", "WorkerImage"].map((Ref) => ({ Assert: { "Fn::Not": [{ "Fn::Equals": [{ Ref }, ""] }] } })),
    );
  });

  it("lets CloudFormation take its machines away, which it cannot while scaling in leaves them alone", () => {
    const deployed = deployedSite(working);
    const of = (type: string) => deployed.filter((one) => one.type === type).map(({ properties }) => properties);
    const groups = of("AWS::AutoScaling::AutoScalingGroup");
    expect(groups.map((group) => group.NewInstancesProtectedFromScaleIn)).toEqual([false, false]);
    for (const provider of of("AWS::ECS::CapacityProvider"))
      expect(provider.AutoScalingGroupProvider).toMatchObject({
        ManagedTerminationProtection: "DISABLED",
        ManagedDraining: "ENABLED",
      });
  });
});
