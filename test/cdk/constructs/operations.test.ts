import { beforeAll, describe, expect, it } from "@jest/globals";
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Cluster } from "aws-cdk-lib/aws-ecs";
import { Key } from "aws-cdk-lib/aws-kms";
import { Code, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { DefinitionBody, Pass, StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { CloudCapacity } from "../../../cdk/lib/constructs/cloud-capacity.ts";
import { GpuCapacity } from "../../../cdk/lib/constructs/gpu-capacity.ts";
import { Operations } from "../../../cdk/lib/constructs/operations.ts";
import { ShardQueue } from "../../../cdk/lib/constructs/shard-queue.ts";
import { WorkerNetwork } from "../../../cdk/lib/constructs/worker-network.ts";
import { deploymentSettings } from "../../../cdk/lib/deployment-settings.ts";
import { propertiesOf } from "../../support/templates.ts";

function operations(workers: "gpu" | "cpu"): Template {
  const app = new App({ analyticsReporting: false, builtinCloudFormationValidation: false });
  const stack = new Stack(app, "Stack");
  const settings = deploymentSettings({ environment: "dev", workers, alarmEmail: "operator@example.org" });
  const capacity = new CloudCapacity(stack);
  const network = new WorkerNetwork(stack, "Network", { settings, capacity });
  const cluster = new Cluster(stack, "Cluster", { vpc: network.vpc });
  const machine = (id: string) =>
    new StateMachine(stack, id, { definitionBody: DefinitionBody.fromChainable(new Pass(stack, `${id}Pass`)) });
  const fn = (id: string) =>
    new LambdaFunction(stack, id, { runtime: Runtime.NODEJS_24_X, code: Code.fromInline("0"), handler: "index.x" });
  new Operations(stack, "Operations", {
    settings,
    capacity,
    run: machine("Run"),
    round: machine("Round"),
    events: { deadLetters: new Queue(stack, "EventDeadLetters") },
    shards: new ShardQueue(stack, "Shards", { queueName: "shards", encryptionKey: new Key(stack, "Key") }),
    functions: { "plan-run": fn("PlanRun"), "close-round": fn("CloseRound") },
    clusterName: cluster.clusterName,
    gpus:
      workers === "cpu"
        ? undefined
        : new GpuCapacity(stack, "Gpus", {
            capacity,
            cluster,
            network,
            name: "workers",
            ...settings.gpu,
            diskGigabytes: 150,
            protectsTasks: true,
          }),
  });
  return Template.fromStack(stack);
}

interface AlarmProperties {
  AlarmName: string;
  AlarmDescription: string;
  AlarmActions: unknown[];
  OKActions: unknown[];
  TreatMissingData: string;
  Metrics?: unknown[];
}

describe("operations", () => {
  let template: Template;
  let alarms: AlarmProperties[];
  beforeAll(() => {
    template = operations("gpu");
    alarms = propertiesOf(template, "AWS::CloudWatch::Alarm").map(([, properties]) => properties as never);
  });

  it("alarm on every way in which runs and rounds end badly, on late and lost messages, on functions, machines and cost", () => {
    expect(alarms.map(({ AlarmName }) => AlarmName).sort()).toEqual([
      "fedmkt-dev-close-round-errors",
      "fedmkt-dev-close-round-throttles",
      "fedmkt-dev-events-dead-letters",
      "fedmkt-dev-plan-run-errors",
      "fedmkt-dev-plan-run-throttles",
      "fedmkt-dev-round-aborted",
      "fedmkt-dev-round-failed",
      "fedmkt-dev-round-timed-out",
      "fedmkt-dev-run-aborted",
      "fedmkt-dev-run-dollars",
      "fedmkt-dev-run-failed",
      "fedmkt-dev-run-timed-out",
      "fedmkt-dev-shards-dead-letters",
      "fedmkt-dev-shards-late",
      "fedmkt-dev-workers-idle",
    ]);
  });

  it("tell the beginning and the end of each to the topic, with what to do, and take silence for health", () => {
    for (const alarm of alarms) {
      expect(alarm.AlarmActions).toEqual(alarm.OKActions);
      expect(alarm.AlarmActions).toHaveLength(1);
      expect(alarm.AlarmDescription).toMatch(/^(An?|The|Lambda) .{60,} See docs\/operations\.md\.$/);
      expect(alarm.TreatMissingData).toBe("notBreaching");
    }
  });

  it("compute no alarm from several metrics but under the condition: emulators cannot", () => {
    const computed = Object.values(template.findResources("AWS::CloudWatch::Alarm")).filter(
      ({ Properties }) => Properties.Metrics !== undefined,
    );
    expect(computed.map(({ Properties, Condition }) => [Properties.AlarmName, Condition])).toEqual([
      ["fedmkt-dev-workers-idle", "CloudCapacity"],
    ]);
  });

  it("count as idle the machines in service beyond the tasks that run", () => {
    const idle = alarms.find(({ AlarmName }) => AlarmName.endsWith("-idle"))!;
    expect(idle.Metrics).toContainEqual(
      expect.objectContaining({ Expression: "FILL(spot, 0) + FILL(onDemand, 0) - FILL(tasks, 0)" }),
    );
    expect(JSON.stringify(idle.Metrics)).toMatch(/GroupInServiceInstances.*GroupInServiceInstances.*TaskCount/s);
  });

  it("read a run's dollars where close-round writes them", () => {
    template.hasResourceProperties("AWS::CloudWatch::Alarm", {
      Namespace: "FedMKT",
      MetricName: "RunDollars",
      Dimensions: [
        {
          Name: "function",
          Value: {
            Ref: Object.keys(template.findResources("AWS::Lambda::Function")).find((id) => id.startsWith("CloseRound")),
          },
        },
        { Name: "service", Value: "fedmkt" },
      ],
    });
  });

  it("encrypt what is told, refuse it without TLS, and let nobody tell it but alarms and the budget of this account", () => {
    const [[, topic]] = propertiesOf(template, "AWS::SNS::Topic");
    expect(topic).toMatchObject({ TopicName: "fedmkt-dev-alarms", KmsMasterKeyId: expect.anything() });
    const [[, policy]] = propertiesOf(template, "AWS::SNS::TopicPolicy");
    const { Statement } = policy.PolicyDocument as unknown as { Statement: Record<string, unknown>[] };
    expect(Statement.filter(({ Effect }) => Effect === "Deny")).toMatchObject([
      { Condition: { Bool: { "aws:SecureTransport": "false" } } },
    ]);
    expect(Statement.filter(({ Effect }) => Effect === "Allow")).toMatchObject([
      {
        Action: "sns:Publish",
        Principal: { Service: ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] },
        Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
      },
    ]);
  });

  it("mail to whoever the settings name", () => {
    template.hasResourceProperties("AWS::SNS::Subscription", { Protocol: "email", Endpoint: "operator@example.org" });
  });

  it("warn at 80 and 100 % of the month's dollars, where there is a cloud", () => {
    const [budget] = Object.values(template.findResources("AWS::Budgets::Budget"));
    expect(budget!.Condition).toBe("CloudCapacity");
    expect(budget!.Properties.Budget).toMatchObject({ BudgetLimit: { Amount: 100, Unit: "USD" }, TimeUnit: "MONTHLY" });
    const { NotificationsWithSubscribers } = budget!.Properties;
    expect(
      NotificationsWithSubscribers.map((one: { Notification: { Threshold: number } }) => one.Notification.Threshold),
    ).toEqual([80, 100]);
  });

  it("make the budget once its topic takes messages from it", () => {
    const [budget] = Object.values(template.findResources("AWS::Budgets::Budget"));
    const [policy] = Object.keys(template.findResources("AWS::SNS::TopicPolicy"));
    expect(budget!.DependsOn).toContain(policy);
  });

  it("show on one dashboard what can go wrong, future clients' queues too", () => {
    const [[, dashboard]] = propertiesOf(template, "AWS::CloudWatch::Dashboard");
    expect(dashboard.DashboardName).toBe("fedmkt-dev");
    const body = JSON.stringify(dashboard.DashboardBody);
    for (const shown of ["ExecutionsFailed", "ApproximateAgeOfOldestMessage", "Throttles", "RunDollars", "TaskCount"])
      expect(body).toContain(shown);
    // a quoted term would be a queue's whole name
    expect(body).toContain("(fedmkt-dev-party)'");
    expect(body).toContain("(fedmkt-dev-party OR fedmkt-dev-dead-jobs)'");
  });

  it("name a machine group on the dashboard only through the condition", () => {
    const groups = Object.keys(template.findResources("AWS::AutoScaling::AutoScalingGroup"));
    const [[, dashboard]] = propertiesOf(template, "AWS::CloudWatch::Dashboard");
    const parts = (dashboard.DashboardBody as { "Fn::Join": [string, unknown[]] })["Fn::Join"][1];
    const named = parts.filter((part) => groups.some((id) => JSON.stringify(part).includes(id)));
    expect(named).toHaveLength(2);
    for (const part of named) expect(Object.keys(part as object)).toEqual(["Fn::If"]);
  });

  it("need no machines: with Fargate there is no alarm on idle ones", () => {
    const names = propertiesOf(operations("cpu"), "AWS::CloudWatch::Alarm").map(([, { AlarmName }]) => AlarmName);
    expect(names).not.toContain("fedmkt-dev-workers-idle");
    expect(names).toContain("fedmkt-dev-run-failed");
  });
});
