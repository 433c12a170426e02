import { describe, expect, it } from "@jest/globals";
import { type Json, propertiesOf, synthesizeTemplates } from "../support/templates.ts";

const { state, pipeline } = synthesizeTemplates();
const both = [state, pipeline];

interface Statement {
  Effect: string;
  Action: string | string[];
  Resource: Json;
}
const statementsOf = (document: Json): Statement[] => (document as { Statement: Statement[] } & Json).Statement;

describe("the buckets", () => {
  const buckets = propertiesOf(state, "AWS::S3::Bucket");

  it("are two, each encrypted by the key, closed to the public, and owned by the account", () => {
    expect(buckets).toHaveLength(2);
    for (const [, bucket] of buckets)
      expect(bucket).toMatchObject({
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [
            { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms" } },
          ],
        },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
      });
  });

  it("refuse what does not come by TLS 1.2", () => {
    const policies = JSON.stringify(propertiesOf(state, "AWS::S3::BucketPolicy"));
    expect(policies.match(/"aws:SecureTransport":"false"/g)).toHaveLength(2);
    expect(policies.match(/"s3:TlsVersion":1.2/g)).toHaveLength(2);
  });

  it("outlive their stack", () => {
    for (const resource of Object.values(state.findResources("AWS::S3::Bucket")))
      expect(resource).toMatchObject({ DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" });
  });

  it("announce writes to the control bucket alone, without a custom resource", () => {
    const announced = buckets.filter(([, bucket]) => bucket.NotificationConfiguration !== undefined);
    expect(announced.map(([id]) => id)).toEqual([expect.stringMatching(/^Control/)]);
    for (const template of both) expect(JSON.stringify(template.toJSON())).not.toContain("Custom::");
  });
});

describe("the shard queue", () => {
  const queues = propertiesOf(state, "AWS::SQS::Queue");

  it("and its dead letters are encrypted by the key and refuse what does not come by TLS", () => {
    expect(queues).toHaveLength(2);
    for (const [, queue] of queues) expect(queue.KmsMasterKeyId).toBeDefined();
    const policies = JSON.stringify(propertiesOf(state, "AWS::SQS::QueuePolicy"));
    expect(policies.match(/"aws:SecureTransport":"false"/g)).toHaveLength(2);
  });

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
    for (const [, group] of propertiesOf(pipeline, "AWS::Logs::LogGroup")) expect(group.RetentionInDays).toBe(90);
  });

  it("get exactly the environment of the contract, and no access to this machine's files", () => {
    for (const [, { Environment }] of functions) {
      const { Variables } = Environment as { Variables: Record<string, Json> };
      expect(Object.keys(Variables).sort()).toEqual([
        "FEDMKT_ARTEFACT_BUCKET",
        "FEDMKT_CONTROL_BUCKET",
        "FEDMKT_LOCAL_FILES",
      ]);
      expect(Variables.FEDMKT_LOCAL_FILES).toBe("false");
    }
  });
});

describe("the worker", () => {
  const [[, task]] = propertiesOf(pipeline, "AWS::ECS::TaskDefinition");

  it("knows after how long a silence its state gives up", () => {
    const [{ Environment }] = task.ContainerDefinitions as { Environment: { Name: string; Value: string }[] }[];
    const heartbeat = Environment.find(({ Name }) => Name === "FEDMKT_HEARTBEAT_SECONDS")!.Value;
    expect(JSON.stringify(pipeline.toJSON())).toContain(`\\"HeartbeatSeconds\\":${heartbeat}`);
  });

  it("logs, and stands in a network without NAT and without an open port", () => {
    expect(JSON.stringify(task.ContainerDefinitions)).toContain('"LogDriver":"awslogs"');
    pipeline.resourceCountIs("AWS::EC2::NatGateway", 0);
    for (const [, group] of propertiesOf(pipeline, "AWS::EC2::SecurityGroup"))
      expect(group.SecurityGroupIngress).toBeUndefined();
  });
});

describe("the policies", () => {
  const granted = both
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
    // these services grant only on everything: traces, and the delivery of a machine's log
    const unscoped = granted
      .filter(({ statement }) => statement.Resource === "*")
      .flatMap(({ statement }) => actionsOf(statement));
    expect(unscoped.filter((action) => !/^(xray|logs):/.test(action))).toEqual([]);
  });

  it("attach no managed policy", () => {
    for (const [, role] of propertiesOf(pipeline, "AWS::IAM::Role")) expect(role.ManagedPolicyArns).toBeUndefined();
  });

  it("let align-shard find its queue and hand a message back", () => {
    const aligning = granted.filter(({ id }) => id.startsWith("StagesAlignShardRole"));
    const actions = aligning.flatMap(({ statement }) => actionsOf(statement));
    expect(actions).toEqual(expect.arrayContaining(["sqs:GetQueueUrl", "sqs:ChangeMessageVisibility"]));
  });

  it("let only those answer task tokens who hold some", () => {
    const answering = granted.filter(({ statement }) => actionsOf(statement).includes("states:SendTaskSuccess"));
    expect(answering.map(({ id }) => id.replace(/[0-9A-F]{8}$/, "")).sort()).toEqual([
      "ShardCallback",
      "WorkerCallback",
    ]);
  });
});
