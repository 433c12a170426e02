import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "@jest/globals";
import { buildApp } from "../../cdk/lib/synthesize.ts";
import { HTTP_LIMITS } from "../../shared/src/adapters/http/http-settings.ts";
import { modelFetchEnvironment, servingEnvironment } from "../../shared/src/contracts/serving-environment.ts";
import { buildInference, deployInference, inferenceChoice, resourcesOf } from "../support/inference-templates.ts";

interface Container {
  Name: string;
  Image: string;
  Essential: boolean;
  EntryPoint?: string[];
  Command?: string[];
  Environment: { Name: string; Value: string }[];
  DependsOn?: { ContainerName: string; Condition: string }[];
  MountPoints: { SourceVolume: string; ContainerPath: string; ReadOnly: boolean }[];
  PortMappings?: { ContainerPort: number }[];
  HealthCheck?: { Command: string[] };
  StopTimeout?: number;
}

const built = {
  gpu: buildInference({ service: "gpu" }, "dev", true),
  cpu: buildInference({ service: "cpu" }, "dev", true),
};
const deployed = { gpu: deployInference(built.gpu), cpu: deployInference(built.cpu) };
const only = (service: "gpu" | "cpu", type: string) => {
  const found = resourcesOf(deployed[service], type);
  expect(found).toHaveLength(1);
  return found[0].properties;
};
const containersOf = (service: "gpu" | "cpu") =>
  Object.fromEntries(
    (only(service, "AWS::ECS::TaskDefinition").ContainerDefinitions as Container[]).map((one) => [one.Name, one]),
  );
const variables = ({ Environment }: Container) =>
  Object.fromEntries(Environment.map(({ Name, Value }) => [Name, Value]));
const attributesOf = (value: unknown) =>
  Object.fromEntries((value as { Key: string; Value: string }[]).map(({ Key, Value }) => [Key, Value]));

describe("an app in which no model is named", () => {
  it("has no endpoint", () => {
    const { app, inference } = buildApp({ bundle: false, outdir: mkdtempSync(path.join(tmpdir(), "fedmkt-none-")) });
    expect(inference).toBeUndefined();
    const { stacks } = app.synth();
    expect(stacks.map(({ stackName }) => stackName)).toEqual(["fedmkt-dev-state", "fedmkt-dev-pipeline"]);
  });

  it("has the same stacks beside an endpoint: nothing of them knows of it", () => {
    const outdir = mkdtempSync(path.join(tmpdir(), "fedmkt-none-"));
    const without = buildApp({ bundle: false, outdir, clients: ["harbour"] }).app.synth();
    const withIt = built.gpu.app.synth();
    for (const { stackName, template } of without.stacks)
      expect(withIt.getStackByName(stackName).template).toEqual(template);
  });
});

describe("the stack of an endpoint", () => {
  it.each(["gpu", "cpu"] as const)("passes CloudFormation's own rules, on %ss", (service) => {
    const { directory } = built[service].app.synth();
    const report = JSON.parse(readFileSync(path.join(directory, "validation-report.json"), "utf8"));
    expect((report.pluginReports as { violations: unknown[] }[]).flatMap(({ violations }) => violations)).toEqual([]);
  });

  it("is one of several, each with names of its own", () => {
    const chat = buildInference({ name: "chat" });
    expect(chat.inference!.stackName).toBe("fedmkt-dev-inference-chat");
    const names = (app: typeof chat, stack: string) =>
      deployInference(app)
        .filter((one) => one.stack === stack)
        .flatMap(({ properties }) =>
          ["RoleName", "Family", "ClusterName", "ServiceName", "LogGroupName", "DashboardName", "AlarmName", "Name"]
            .map((name) => properties[name])
            .filter((name): name is string => /^\/?fedmkt/.test(String(name))),
        );
    const first = names(built.gpu, "fedmkt-dev-inference");
    expect(first.length).toBeGreaterThan(8);
    for (const name of names(chat, "fedmkt-dev-inference-chat")) expect(first).not.toContain(name);
  });

  it("leaves an emulator the task's definition, its role, its keys and its log", () => {
    const left = deployInference(built.gpu, { UseCloudCapacity: "false" }).filter(
      ({ stack }) => stack === "fedmkt-dev-inference",
    );
    expect(left.map(({ type }) => type).sort()).toEqual([
      "AWS::CloudWatch::Alarm",
      "AWS::CloudWatch::Alarm",
      "AWS::ECS::TaskDefinition",
      "AWS::IAM::Policy",
      "AWS::IAM::Policy",
      "AWS::IAM::Role",
      "AWS::IAM::Role",
      "AWS::KMS::Key",
      "AWS::Logs::LogGroup",
      "AWS::SecretsManager::Secret",
    ]);
  });

  it("goes with all that is in it, in prod too: adapters and specs lie elsewhere", () => {
    const prod = deployInference(buildInference({}, "prod"));
    const kept = prod.filter(
      ({ stack, deletionPolicy }) => stack === "fedmkt-prod-inference" && deletionPolicy !== "Delete",
    );
    expect(kept).toEqual([]);
  });
});

describe("the gateway's container", () => {
  it("is told what it understands, on GPU machines and on Fargate", () => {
    const gpu = servingEnvironment.parse(variables(containersOf("gpu").gateway));
    expect(gpu).toMatchObject({
      FEDMKT_SERVE_MODEL: "/srv/fedmkt/model",
      FEDMKT_SERVE_UPSTREAM: "http://127.0.0.1:8000",
      FEDMKT_SERVE_ADAPTER_FOLDER: "/srv/fedmkt/adapters",
      FEDMKT_SERVE_REGISTRY: "s3://fedmkt-dev-registry-000000000000-us-east-1",
      FEDMKT_SERVE_NAME: "smollm2-135m",
      FEDMKT_SERVE_PORT: 8080,
      FEDMKT_SERVE_MEASURED_AS: "fedmkt-dev-inference",
    });
    const cpu = servingEnvironment.parse(variables(containersOf("cpu").gateway));
    expect(cpu).toMatchObject({ FEDMKT_SERVE_MODEL: inferenceChoice().model, FEDMKT_SERVE_CONCURRENT: 16 });
    expect(cpu.FEDMKT_SERVE_UPSTREAM).toBeUndefined();
    for (const container of [containersOf("gpu").gateway, containersOf("cpu").gateway])
      for (const { Name } of container.Environment)
        expect([Name, Object.hasOwn(servingEnvironment.shape, Name)]).toEqual([Name, true]);
  });

  it("offers no way to load adapters but the registry's, and lets in nobody without a key", () => {
    for (const service of ["gpu", "cpu"] as const) {
      const told = variables(containersOf(service).gateway);
      expect(told.FEDMKT_SERVE_RUNTIME_ADAPTERS).toBeUndefined();
      expect(told.FEDMKT_SERVE_KEYS).toMatch(/^arn:aws:secretsmanager:.*:secret:fedmkt-dev-inference-keys-/);
      const secret = only(service, "AWS::SecretsManager::Secret");
      expect(JSON.parse(String(secret.SecretString))).toEqual({ version: 1, keys: [] });
      expect(secret.KmsKeyId).toContain("KeysKey");
    }
  });

  it("serves the adapters of one party where one is named", () => {
    const one = resourcesOf(deployInference(buildInference({ party: "harbour" })), "AWS::ECS::TaskDefinition");
    const [gateway] = one[0].properties.ContainerDefinitions as Container[];
    expect(variables(gateway).FEDMKT_SERVE_PARTY).toBe("harbour");
  });

  it("ends its answers within the time that it is given to end", () => {
    for (const service of ["gpu", "cpu"] as const) {
      const { gateway } = containersOf(service);
      const { FEDMKT_SERVE_DRAIN_SECONDS: drain } = servingEnvironment.parse(variables(gateway));
      expect(drain).toBeLessThanOrEqual(gateway.StopTimeout! - 10);
      expect(gateway.StopTimeout).toBeLessThanOrEqual(120); // Fargate's most
    }
  });

  it("runs the workers' image, with a root that it cannot write to", () => {
    for (const service of ["gpu", "cpu"] as const) {
      const { gateway } = containersOf(service);
      expect(gateway).toMatchObject({ ReadonlyRootFilesystem: true, Essential: true });
      expect(gateway.Image).toBe("/fedmkt/dev/worker-image");
      expect(gateway.HealthCheck!.Command).toContain("/app/gpu-workers/src/health.ts");
      expect(gateway.PortMappings).toEqual([{ ContainerPort: 8080, Protocol: "tcp" }]);
    }
  });
});

describe("vLLM's container", () => {
  const { vllm, gateway, model } = containersOf("gpu");

  it("is there on GPU machines alone", () => {
    expect(Object.keys(containersOf("gpu")).sort()).toEqual(["gateway", "model", "vllm"]);
    expect(Object.keys(containersOf("cpu"))).toEqual(["gateway"]);
    expect(vllm).toMatchObject({ ResourceRequirements: [{ Type: "GPU", Value: "1" }] });
    for (const other of [gateway, model]) expect(other).not.toHaveProperty("ResourceRequirements");
  });

  it("serves the model under the gateway's name for it, with LoRA, on the loopback alone", () => {
    expect(vllm.EntryPoint).toEqual(["vllm", "serve"]);
    expect(vllm.Command!.join(" ")).toBe(
      "/srv/fedmkt/model --host 127.0.0.1 --port 8000 --served-model-name smollm2-135m --enable-lora --max-loras 8 " +
        "--max-cpu-loras 64 --max-lora-rank 64 --disable-uvicorn-access-log",
    );
    expect(variables(vllm)).toMatchObject({ VLLM_ALLOW_RUNTIME_LORA_UPDATING: "True", VLLM_NO_USAGE_STATS: "1" });
    expect(vllm.PortMappings).toBeUndefined();
  });

  it("is an image of a version, unless a digest or another version is named", () => {
    expect(vllm.Image).toMatch(/^vllm\/vllm-openai:v\d+\.\d+\.\d+$/);
    const digest = `vllm/vllm-openai@sha256:${"0f3c".repeat(16)}`;
    const [task] = resourcesOf(deployInference(buildInference({ vllmImage: digest })), "AWS::ECS::TaskDefinition");
    expect((task.properties.ContainerDefinitions as Container[]).find(({ Name }) => Name === "vllm")!.Image).toBe(
      digest,
    );
  });

  it("starts once the model is there, and ends after the gateway", () => {
    expect(vllm.DependsOn).toEqual([{ ContainerName: "model", Condition: "SUCCESS" }]);
    // ECS ends containers in the opposite order
    expect(gateway.DependsOn).toContainEqual({ ContainerName: "vllm", Condition: "START" });
    expect(gateway.DependsOn).toContainEqual({ ContainerName: "model", Condition: "SUCCESS" });
    expect(model).toMatchObject({ Essential: false });
    expect(model.HealthCheck).toBeUndefined();
  });

  it("reads model and adapters where the others put them, and cannot change them", () => {
    const mount = (container: Container) =>
      container.MountPoints.find(({ SourceVolume }) => SourceVolume === "shared")!;
    expect(mount(vllm)).toEqual({ SourceVolume: "shared", ContainerPath: "/srv/fedmkt", ReadOnly: true });
    for (const writer of [gateway, model]) expect(mount(writer)).toMatchObject({ ReadOnly: false });
    const fetched = modelFetchEnvironment.parse(variables(model));
    expect(fetched).toEqual({
      FEDMKT_FETCH_MODEL: inferenceChoice().model,
      FEDMKT_FETCH_FOLDER: variables(gateway).FEDMKT_SERVE_MODEL,
    });
    expect(vllm.Command![0]).toBe(fetched.FEDMKT_FETCH_FOLDER);
    for (const folder of [fetched.FEDMKT_FETCH_FOLDER, variables(gateway).FEDMKT_SERVE_ADAPTER_FOLDER])
      expect(folder.startsWith(`${mount(vllm).ContainerPath}/`)).toBe(true);
  });

  it("is asked now and then whether it is well", () => {
    expect(vllm.HealthCheck!.Command.join(" ")).toContain("http://127.0.0.1:8000/health");
  });
});

describe("what leads to an endpoint", () => {
  it.each(["gpu", "cpu"] as const)(
    "speaks TLS 1.2 or later with the certificate, and nothing else, on %ss",
    (service) => {
      const listener = only(service, "AWS::ElasticLoadBalancingV2::Listener");
      expect(listener).toMatchObject({
        Port: 443,
        Protocol: "HTTPS",
        Certificates: [{ CertificateArn: inferenceChoice().certificateArn }],
      });
      expect(listener.SslPolicy).toMatch(/^ELBSecurityPolicy-TLS13-1-2-/);
      const [inbound] = resourcesOf(deployed[service], "AWS::EC2::SecurityGroup").filter(({ id }) =>
        /FrontInbound/.test(id),
      );
      expect(inbound.properties.SecurityGroupIngress).toEqual([
        { CidrIp: "0.0.0.0/0", Description: "HTTPS", FromPort: 443, ToPort: 443, IpProtocol: "tcp" },
      ]);
    },
  );

  it("lets in the named ranges alone, where some are named", () => {
    const few = deployInference(buildInference({ addresses: "198.51.100.0/24,203.0.113.7/32" }));
    const [inbound] = resourcesOf(few, "AWS::EC2::SecurityGroup").filter(({ id }) => /FrontInbound/.test(id));
    expect((inbound.properties.SecurityGroupIngress as { CidrIp: string }[]).map(({ CidrIp }) => CidrIp)).toEqual([
      "198.51.100.0/24",
      "203.0.113.7/32",
    ]);
  });

  it("reaches the gateway's port, which nothing else does", () => {
    const groups = resourcesOf(deployed.gpu, "AWS::EC2::SecurityGroup");
    const [tasks] = groups.filter(({ id }) => /TaskInbound/.test(id));
    expect(tasks.properties.SecurityGroupIngress).toBeUndefined();
    const rules = resourcesOf(deployed.gpu, "AWS::EC2::SecurityGroupIngress").map(({ properties }) => [
      /Serving(\w+?)[0-9A-F]{8}/.exec(String(properties.SourceSecurityGroupId))![1],
      properties.FromPort,
      /Serving(\w+?)[0-9A-F]{8}/.exec(String(properties.GroupId))![1],
    ]);
    expect(rules).toEqual([
      ["FrontInbound", 8080, "TaskInbound"],
      ["TaskInbound", 443, "KeysInbound"],
    ]);
  });

  it("drops broken headers, and notes who asked", () => {
    const attributes = attributesOf(only("gpu", "AWS::ElasticLoadBalancingV2::LoadBalancer").LoadBalancerAttributes);
    expect(attributes).toMatchObject({
      "routing.http.drop_invalid_header_fields.enabled": "true",
      "access_logs.s3.enabled": "true",
    });
    expect(attributes["access_logs.s3.bucket"]).toContain("AccessLog");
  });

  it("waits for the longest answer, while it is asked and when its task goes", () => {
    const balancer = attributesOf(only("gpu", "AWS::ElasticLoadBalancingV2::LoadBalancer").LoadBalancerAttributes);
    const group = only("gpu", "AWS::ElasticLoadBalancingV2::TargetGroup");
    const delay = Number(attributesOf(group.TargetGroupAttributes)["deregistration_delay.timeout_seconds"]);
    const silence = Number(balancer["idle_timeout.timeout_seconds"]);
    expect(delay).toBeGreaterThanOrEqual(silence);
    // else the gateway would close a connection at the moment at which a request comes by it
    expect(HTTP_LIMITS.idleMs).toBeGreaterThan(silence * 1000);
    expect(group).toMatchObject({
      HealthCheckPath: "/ready",
      Matcher: { HttpCode: "200" },
      TargetType: "ip",
      Port: 8080,
    });
  });
});

describe("the service", () => {
  it.each(["gpu", "cpu"] as const)(
    "brings a new version beside the old one, and goes back where it does not answer, on %ss",
    (service) => {
      expect(only(service, "AWS::ECS::Service")).toMatchObject({
        DeploymentConfiguration: {
          MinimumHealthyPercent: 100,
          MaximumPercent: 200,
          DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        },
        HealthCheckGracePeriodSeconds: 1800,
      });
      // a number here would undo what scaling has done, with every change of the stack
      expect(only(service, "AWS::ECS::Service").DesiredCount).toBeUndefined();
    },
  );

  it("runs on machines on demand, twice as many as tasks for a roll-out, or on Fargate", () => {
    const [strategy] = only("gpu", "AWS::ECS::Service").CapacityProviderStrategy as { CapacityProvider: string }[];
    expect(strategy.CapacityProvider).toContain("OnDemandProvider");
    for (const { properties } of resourcesOf(deployed.gpu, "AWS::AutoScaling::AutoScalingGroup"))
      expect(properties).toMatchObject({ MinSize: "0", MaxSize: "4" });
    expect(only("cpu", "AWS::ECS::Service").CapacityProviderStrategy).toEqual([
      { CapacityProvider: "FARGATE", Weight: 1 },
    ]);
    expect(resourcesOf(deployed.cpu, "AWS::AutoScaling::AutoScalingGroup")).toEqual([]);
  });

  it("leads out of a GPU machine's task to S3 and to its keys alone", () => {
    const endpoints = resourcesOf(deployed.gpu, "AWS::EC2::VPCEndpoint").map(({ properties }) =>
      String(properties.ServiceName),
    );
    expect(endpoints.map((name) => name.split(".").at(-1)).sort()).toEqual(["s3", "secretsmanager"]);
    const network = (service: "gpu" | "cpu") =>
      (only(service, "AWS::ECS::Service").NetworkConfiguration as { AwsvpcConfiguration: { AssignPublicIp?: string } })
        .AwsvpcConfiguration.AssignPublicIp;
    expect([network("gpu"), network("cpu")]).toEqual([undefined, "ENABLED"]);
    expect(resourcesOf(deployed.gpu, "AWS::EC2::NatGateway")).toEqual([]);
  });
});

describe("the number of tasks", () => {
  interface Policy {
    PolicyType: string;
    StepScalingPolicyConfiguration: {
      AdjustmentType: string;
      StepAdjustments: { ScalingAdjustment: number; MetricIntervalLowerBound?: number }[];
    };
  }
  const policiesOf = (choice: Parameters<typeof buildInference>[0]) => {
    const all = deployInference(buildInference(choice));
    return Object.fromEntries(
      resourcesOf(all, "AWS::ApplicationAutoScaling::ScalingPolicy").map(({ id, properties }) => {
        const { StepScalingPolicyConfiguration: steps } = properties as unknown as Policy;
        return [
          id.replace(/^ServingScaling|[0-9A-F]{8}$/g, ""),
          [steps.AdjustmentType, ...steps.StepAdjustments.map(({ ScalingAdjustment }) => ScalingAdjustment)],
        ];
      }),
    );
  };

  it("is between none and two unless said, grows by waits, shrinks by low load, and begins and ends with requests", () => {
    expect(only("gpu", "AWS::ApplicationAutoScaling::ScalableTarget")).toMatchObject({
      MinCapacity: 0,
      MaxCapacity: 2,
    });
    expect(policiesOf({})).toEqual({
      More: ["ChangeInCapacity", 1, 2],
      Fewer: ["ChangeInCapacity", -1],
      None: ["ExactCapacity", 0],
      First: ["ExactCapacity", 1],
    });
  });

  it("never is none where some must stay", () => {
    expect(Object.keys(policiesOf({ tasks: "1-4" }))).toEqual(["More", "Fewer"]);
  });

  it("follows the waits that the gateway writes under the endpoint's name", () => {
    const waits = resourcesOf(deployed.gpu, "AWS::CloudWatch::Alarm").find(({ id }) => /ScalingLongWait/.test(id))!;
    expect(waits.properties).toMatchObject({
      Namespace: "FedMKT",
      MetricName: "QueueSeconds",
      Threshold: 2,
      Dimensions: [
        { Name: "endpoint", Value: variables(containersOf("gpu").gateway).FEDMKT_SERVE_MEASURED_AS },
        { Name: "service", Value: "fedmkt" },
      ],
    });
  });

  it("asks for the first task once, not once for each minute of its start", () => {
    const asks = resourcesOf(deployed.gpu, "AWS::CloudWatch::Alarm").find(({ id }) => /ScalingSomebodyAsks/.test(id))!;
    const metrics = asks.properties.Metrics as {
      Expression?: string;
      MetricStat?: { Metric: { MetricName: string } };
    }[];
    expect(metrics.flatMap(({ Expression }) => Expression ?? [])).toEqual([
      "IF(FILL(refused, 0) > 0 AND FILL(wanted, 0) < 1, 1, 0)",
    ]);
    expect(metrics.flatMap(({ MetricStat }) => MetricStat?.Metric.MetricName ?? []).sort()).toEqual([
      "DesiredTaskCount",
      "HTTPCode_ELB_503_Count",
    ]);
  });
});
