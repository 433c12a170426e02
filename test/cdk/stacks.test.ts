import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import type { Template } from "aws-cdk-lib/assertions";
import { BUCKETS } from "../../shared/src/contracts/deployment.ts";
import { workerEnvironment } from "../../shared/src/contracts/environment.ts";
import { type Json, propertiesOf, synthesizeTemplates } from "../support/templates.ts";

const { state, pipeline, client, site } = synthesizeTemplates();
const all = [state, pipeline, client, site];

interface Statement {
  Effect: string;
  Action: string | string[];
  Resource: Json;
}
const statementsOf = (document: Json): Statement[] => (document as { Statement: Statement[] } & Json).Statement;

const bucketsOf = (template: Template) => propertiesOf(template, "AWS::S3::Bucket");
const isLog = ([id]: [string, unknown]) => id.startsWith("AccessLog");

describe("the buckets", () => {
  it("are the four of the state under names that everybody knows, and one of each silo that has private data", () => {
    const names = bucketsOf(state).map(([, { BucketName }]) => BucketName && JSON.stringify(BucketName));
    for (const name of BUCKETS) expect(names).toContainEqual(expect.stringContaining(`"fedmkt-dev-${name}-"`));
    expect(bucketsOf(state)).toHaveLength(BUCKETS.length + 1);
    for (const silo of [client, site]) expect(bucketsOf(silo).filter((one) => !isLog(one))).toHaveLength(1);
  });

  it("are each encrypted by a key, closed to the public, owned by the account, and noted in a log", () => {
    for (const template of all)
      for (const [id, bucket] of bucketsOf(template)) {
        expect([id, bucket]).toMatchObject([
          id,
          {
            PublicAccessBlockConfiguration: {
              BlockPublicAcls: true,
              BlockPublicPolicy: true,
              IgnorePublicAcls: true,
              RestrictPublicBuckets: true,
            },
            OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
          },
        ]);
        const byKey = { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms" } };
        // S3 writes its notes into no bucket with a key of ours
        const byS3 = { ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } };
        const isLogItself = isLog([id, bucket]);
        expect(bucket).toMatchObject({
          BucketEncryption: { ServerSideEncryptionConfiguration: [isLogItself ? byS3 : byKey] },
        });
        expect([id, bucket.LoggingConfiguration !== undefined]).toEqual([id, !isLogItself]);
      }
  });

  it("refuse what does not come by TLS 1.2", () => {
    for (const template of all) {
      const policies = JSON.stringify(propertiesOf(template, "AWS::S3::BucketPolicy"));
      const buckets = bucketsOf(template).length;
      expect(policies.match(/"aws:SecureTransport":"false"/g) ?? []).toHaveLength(buckets);
      expect(policies.match(/"s3:TlsVersion":1.2/g) ?? []).toHaveLength(buckets);
    }
  });

  it("announce writes to the control bucket alone", () => {
    const announced = all
      .flatMap(bucketsOf)
      .filter(([, bucket]) => bucket.NotificationConfiguration !== undefined)
      .map(([id]) => id);
    expect(announced).toEqual([expect.stringMatching(/^Control/)]);
  });
});

describe("the keys", () => {
  it("rotate, and are used by nobody but through policies", () => {
    const keys = all.flatMap((template) => propertiesOf(template, "AWS::KMS::Key"));
    expect(keys.length).toBeGreaterThanOrEqual(5);
    for (const [id, key] of keys) {
      expect([id, key.EnableKeyRotation]).toEqual([id, true]);
      for (const { Principal } of statementsOf(key.KeyPolicy) as (Statement & { Principal: Json })[])
        expect(JSON.stringify(Principal)).not.toContain('"*"');
    }
  });
});

describe("every queue", () => {
  const queuesOf = (template: Template) => propertiesOf(template, "AWS::SQS::Queue");

  it("is encrypted by a key and refuses what does not come by TLS", () => {
    for (const template of all) {
      for (const [id, queue] of queuesOf(template)) expect([id, queue.KmsMasterKeyId]).toEqual([id, expect.anything()]);
      const policies = JSON.stringify(propertiesOf(template, "AWS::SQS::QueuePolicy"));
      expect(policies.match(/"aws:SecureTransport":"false"/g) ?? []).toHaveLength(queuesOf(template).length);
    }
  });

  it("that is not itself of dead letters has one for them", () => {
    for (const template of all)
      for (const [id, queue] of queuesOf(template))
        expect([id, queue.RedrivePolicy !== undefined]).toEqual([id, !id.includes("DeadLetters")]);
  });
});

describe("the shard queue", () => {
  const queues = propertiesOf(state, "AWS::SQS::Queue");

  it("gives a message up after five deliveries", () => {
    expect(queues.map(([, queue]) => queue.RedrivePolicy).filter(Boolean)).toMatchObject([{ maxReceiveCount: 5 }]);
  });

  it("hides a message six times as long as its function may take", () => {
    const align = propertiesOf(pipeline, "AWS::Lambda::Function").find(([, f]) => f.Handler === "align-shard.handler")!;
    for (const [, queue] of queues) expect(queue.VisibilityTimeout).toBe(6 * Number(align[1].Timeout));
  });

  it("hands messages to its functions with partial failures reported", () => {
    const mappings = propertiesOf(pipeline, "AWS::Lambda::EventSourceMapping");
    expect(mappings).toHaveLength(2);
    for (const [, mapping] of mappings) expect(mapping.FunctionResponseTypes).toEqual(["ReportBatchItemFailures"]);
  });

  it("keeps its function from taking all of the account's invocations", () => {
    const bounds = propertiesOf(pipeline, "AWS::Lambda::EventSourceMapping").map(
      ([, mapping]) => mapping.ScalingConfig,
    );
    expect(bounds).toContainEqual({ MaximumConcurrency: 50 });
  });
});

describe("the functions", () => {
  const functions = propertiesOf(pipeline, "AWS::Lambda::Function");

  it("run on Node 24, are traced, log to a group that forgets, and share one bundle", () => {
    const bundles = new Set(functions.map(([, { Code }]) => JSON.stringify(Code)));
    expect(bundles.size).toBe(1);
    for (const [, properties] of functions)
      expect(properties).toMatchObject({
        Runtime: "nodejs24.x",
        TracingConfig: { Mode: "Active" },
        LoggingConfig: { LogGroup: expect.anything(), LogFormat: "JSON" },
      });
    for (const [, group] of propertiesOf(pipeline, "AWS::Logs::LogGroup")) expect(group.RetentionInDays).toBe(14);
  });

  it("ask for no more memory than a new account is granted", () => {
    for (const [id, fn] of propertiesOf(pipeline, "AWS::Lambda::Function"))
      expect([id, Number(fn.MemorySize) <= 3008]).toEqual([id, true]);
  });

  it("get exactly the environment of the contract, and no access to this machine's files", () => {
    for (const [, { Environment, Handler }] of functions) {
      const { Variables } = Environment as { Variables: Record<string, Json> };
      if (Handler === "stop-tasks.handler") {
        expect(Object.keys(Variables)).toEqual(["FEDMKT_CLUSTER"]);
        continue;
      }
      expect(Object.keys(Variables).sort()).toEqual([
        "FEDMKT_ARTEFACT_BUCKET",
        "FEDMKT_CONTROL_BUCKET",
        "FEDMKT_LOCAL_FILES",
        "FEDMKT_REGISTRY_BUCKET",
      ]);
      expect(Variables.FEDMKT_LOCAL_FILES).toBe("false");
    }
  });
});

describe("the worker", () => {
  const [[, task]] = propertiesOf(pipeline, "AWS::ECS::TaskDefinition");

  it("is told what the contract names, and after how long a silence its state gives up", () => {
    for (const template of [pipeline, client]) {
      const [[, { ContainerDefinitions }]] = propertiesOf(template, "AWS::ECS::TaskDefinition");
      const [{ Environment }] = ContainerDefinitions as { Environment: { Name: string; Value: string }[] }[];
      const given = new Map(Environment.map(({ Name, Value }) => [Name, Value]));
      for (const name of given.keys()) expect(Object.keys(workerEnvironment.shape)).toContain(name);
      expect(JSON.stringify(pipeline.toJSON())).toContain(
        `\\"HeartbeatSeconds\\":${given.get("FEDMKT_HEARTBEAT_SECONDS")}`,
      );
    }
  });

  it("writes nowhere but where its image lets it, is looked after, and has the longest time to put its work down", () => {
    const image = readFileSync(new URL("../../gpu-workers/Dockerfile", import.meta.url), "utf8");
    for (const template of [pipeline, client, site])
      for (const [, { ContainerDefinitions, Volumes }] of propertiesOf(template, "AWS::ECS::TaskDefinition")) {
        expect(ContainerDefinitions).toMatchObject([
          {
            ReadonlyRootFilesystem: true,
            MountPoints: [{ SourceVolume: "scratch", ContainerPath: "/tmp", ReadOnly: false }],
            StopTimeout: 120,
          },
        ]);
        expect(Volumes).toEqual([{ Name: "scratch" }]);
        expect(image).toContain('VOLUME ["/tmp", ');
        const [{ HealthCheck }] = ContainerDefinitions as { HealthCheck: { Command: string[] } }[];
        const [kind, ...command] = HealthCheck.Command;
        expect(kind).toBe("CMD");
        expect(image.replace(/\s+/g, " ")).toContain(`CMD ${JSON.stringify(command).replaceAll(",", ", ")}`);
      }
  });

  it("logs, and stands in a network without NAT and without an open port", () => {
    expect(JSON.stringify(task.ContainerDefinitions)).toContain('"LogDriver":"awslogs"');
    pipeline.resourceCountIs("AWS::EC2::NatGateway", 0);
    const open = propertiesOf(pipeline, "AWS::EC2::SecurityGroup").filter(([, group]) => group.SecurityGroupIngress);
    // behind which workers answer Step Functions, from inside the network alone
    expect(open.map(([id]) => id)).toEqual([expect.stringContaining("AnswersInbound")]);
    expect(open[0][1].SecurityGroupIngress).toMatchObject([{ CidrIp: "10.0.0.0/16", FromPort: 443, ToPort: 443 }]);
  });
});

describe("the policies", () => {
  const granted = all
    .flatMap((template) => [...propertiesOf(template, "AWS::IAM::Policy"), ...propertiesOf(template, "AWS::IAM::Role")])
    .flatMap(([id, properties]) =>
      [
        properties.PolicyDocument,
        ...((properties.Policies as { PolicyDocument: Json }[]) ?? []).map((p) => p.PolicyDocument),
      ]
        .filter(Boolean)
        .flatMap((document) => statementsOf(document!).map((statement) => ({ id, statement }))),
    );
  const actionsOf = ({ Action }: Statement): string[] => [Action].flat();

  it("allow no action by wildcard", () => {
    expect(granted.length).toBeGreaterThan(20);
    for (const { id, statement } of granted)
      expect([id, actionsOf(statement).filter((action) => action.includes("*"))]).toEqual([id, []]);
  });

  it("name a resource wherever the service knows one", () => {
    const unscoped = granted
      .filter(({ statement }) => [statement.Resource].flat().includes("*"))
      .flatMap(({ statement }) => actionsOf(statement));
    expect([...new Set(unscoped)].sort()).toEqual(Object.keys(WITHOUT_RESOURCE).sort());
  });

  it("attach no managed policy", () => {
    for (const template of all)
      for (const [, role] of propertiesOf(template, "AWS::IAM::Role")) expect(role.ManagedPolicyArns).toBeUndefined();
  });

  it("give nobody outside of the account anything that no parameter asks for", () => {
    for (const template of all)
      for (const [id, { AssumeRolePolicyDocument }] of propertiesOf(template, "AWS::IAM::Role")) {
        const [first, ...more] = statementsOf(AssumeRolePolicyDocument) as unknown as Record<string, Json>[];
        expect([id, first.Principal]).toEqual([id, { Service: expect.any(String) }]);
        for (const statement of more)
          expect(statement["Fn::If"]).toEqual(["HasWorkerPrincipal", expect.anything(), { Ref: "AWS::NoValue" }]);
      }
  });

  it("let align-shard find its queue and hand a message back", () => {
    const aligning = granted.filter(({ id }) => id.startsWith("StagesAlignShardRole"));
    const actions = aligning.flatMap(({ statement }) => actionsOf(statement));
    expect(actions).toEqual(expect.arrayContaining(["sqs:GetQueueUrl", "sqs:ChangeMessageVisibility"]));
  });
});

/** What can only be granted on everything, and why that is no harm. */
const WITHOUT_RESOURCE: Record<string, string> = {
  "ecr:GetAuthorizationToken": "opens no image: the repository says who may have it",
  "ecs:DiscoverPollEndpoint": "tells an agent its address",
  "ecs:ListTasks": "knows container instances only, but is bound to the workers' cluster by a condition",
  "logs:CreateLogDelivery": "a machine's log is delivered by a service that knows no resource",
  "logs:DeleteLogDelivery": "the same",
  "logs:DescribeLogGroups": "the same",
  "logs:DescribeResourcePolicies": "the same",
  "logs:GetLogDelivery": "the same",
  "logs:ListLogDeliveries": "the same",
  "logs:PutResourcePolicy": "the same",
  "logs:UpdateLogDelivery": "the same",
  "xray:GetSamplingRules": "traces belong to no resource",
  "xray:GetSamplingTargets": "the same",
  "xray:PutTelemetryRecords": "the same",
  "xray:PutTraceSegments": "the same",
};
