import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { smallClientTemplate } from "./small-client-template.ts";

export interface SmallAssembly {
  /** by logical id; `$` members such as {Ref} are CloudFormation's, the definition is joined into a DefinitionString */
  machines: Record<string, object>;
  /** by logical id: the handler's source, an ES module that exports `handler` */
  functions?: Record<string, string | { source: string; timeoutSeconds?: number; memoryMb?: number }>;
  /** the program that ECS tasks run */
  worker?: string;
  queue?: { visibilitySeconds: number; maxReceives: number };
  /** queue → function */
  triggers?: { queue: "Work" | "Dead"; function: string; batchSize: number; reportsFailures: boolean }[];
  /** the machine that the upload of runs/<id>/run.yaml starts */
  startedByUpload?: string;
  /** what an end of a machine's executions invokes */
  whenEnded?: { machine: string; statuses: string[]; function: string }[];
  /** clients' job queues */
  jobQueue?: { visibilitySeconds: number; maxReceives: number };
  /** the program of clients' own workers */
  queueWorker?: string;
}

/**
 * Writes a cloud assembly of two stacks as CDK would: buckets `Control` (announcing its writes), `Artefacts` and `Registry`, queues `Work` and
 * `Dead` in one; functions, machines, a task definition and the rules, importing from it, in the other; and the template for any
 * client.
 */
export function writeSmallAssembly(parts: SmallAssembly): {
  folder: string;
  assembly: string;
  worker: string;
  queueWorker: string;
} {
  const folder = mkdtempSync(path.join(tmpdir(), "fedmkt-local-"));
  const assembly = path.join(folder, "cdk.out");
  mkdirSync(assembly);
  const write = (name: string, content: string | object) =>
    writeFileSync(path.join(assembly, name), typeof content === "string" ? content : JSON.stringify(content));
  const worker = path.join(folder, "worker.mjs");
  writeFileSync(worker, parts.worker ?? "");
  const queueWorker = path.join(folder, "queue-worker.mjs");
  writeFileSync(queueWorker, parts.queueWorker ?? "");
  const exported = (name: string, value: object) => ({ Value: value, Export: { Name: `State:${name}` } });
  const { visibilitySeconds = 1, maxReceives = 2 } = {
    visibilitySeconds: parts.queue?.visibilitySeconds,
    maxReceives: parts.queue?.maxReceives,
  };
  write("State.template.json", {
    Resources: {
      Control: { Type: "AWS::S3::Bucket", Properties: { NotificationConfiguration: { EventBridgeConfiguration: {} } } },
      Artefacts: { Type: "AWS::S3::Bucket" },
      Registry: { Type: "AWS::S3::Bucket" },
      Dead: { Type: "AWS::SQS::Queue" },
      Work: {
        Type: "AWS::SQS::Queue",
        Properties: {
          VisibilityTimeout: visibilitySeconds,
          RedrivePolicy: { deadLetterTargetArn: { "Fn::GetAtt": ["Dead", "Arn"] }, maxReceiveCount: maxReceives },
        },
      },
    },
    Outputs: {
      Control: exported("Control", { Ref: "Control" }),
      Artefacts: exported("Artefacts", { Ref: "Artefacts" }),
      Registry: exported("Registry", { Ref: "Registry" }),
      Work: exported("Work", { Ref: "Work" }),
      WorkArn: exported("WorkArn", { "Fn::GetAtt": ["Work", "Arn"] }),
      DeadArn: exported("DeadArn", { "Fn::GetAtt": ["Dead", "Arn"] }),
    },
  });
  const imported = (name: string) => ({ "Fn::ImportValue": `State:${name}` });
  const variables = {
    FEDMKT_CONTROL_BUCKET: imported("Control"),
    FEDMKT_ARTEFACT_BUCKET: imported("Artefacts"),
    FEDMKT_REGISTRY_BUCKET: imported("Registry"),
    FEDMKT_LOCAL_FILES: "false",
  };
  const resources: Record<string, object> = {
    Task: {
      Type: "AWS::ECS::TaskDefinition",
      Properties: {
        Family: "workers",
        ContainerDefinitions: [
          { Name: "worker", Environment: Object.entries(variables).map(([Name, Value]) => ({ Name, Value })) },
        ],
      },
    },
  };
  for (const [id, given] of Object.entries(parts.functions ?? {})) {
    const { source, timeoutSeconds = 10, memoryMb = 128 } = typeof given === "string" ? { source: given } : given;
    mkdirSync(path.join(assembly, `asset.${id}`));
    write(path.join(`asset.${id}`, "index.mjs"), source);
    resources[id] = {
      Type: "AWS::Lambda::Function",
      Properties: {
        Code: { S3Bucket: "assets", S3Key: `${id}.zip` },
        Handler: "index.handler",
        Timeout: timeoutSeconds,
        MemorySize: memoryMb,
        Environment: { Variables: variables },
      },
    };
  }
  for (const [id, definition] of Object.entries(parts.machines)) {
    resources[id] = { Type: "AWS::StepFunctions::StateMachine", Properties: { DefinitionString: joined(definition) } };
  }
  for (const [index, { queue, function: target, batchSize, reportsFailures }] of (parts.triggers ?? []).entries()) {
    resources[`Trigger${index}`] = {
      Type: "AWS::Lambda::EventSourceMapping",
      Properties: {
        EventSourceArn: imported(`${queue}Arn`),
        FunctionName: { Ref: target },
        BatchSize: batchSize,
        FunctionResponseTypes: reportsFailures ? ["ReportBatchItemFailures"] : [],
      },
    };
  }
  if (parts.startedByUpload) {
    resources.Uploaded = {
      Type: "AWS::Events::Rule",
      Properties: {
        EventPattern: {
          source: ["aws.s3"],
          "detail-type": ["Object Created"],
          detail: { bucket: { name: [imported("Control")] }, object: { key: [{ wildcard: "runs/*/run.yaml" }] } },
        },
        State: "ENABLED",
        Targets: [{ Id: "Target0", Arn: { Ref: parts.startedByUpload }, RoleArn: "arn:aws:iam::000000000000:role/r" }],
      },
    };
  }
  for (const [index, { machine, statuses, function: target }] of (parts.whenEnded ?? []).entries()) {
    resources[`Ended${index}`] = {
      Type: "AWS::Events::Rule",
      Properties: {
        EventPattern: {
          source: ["aws.states"],
          "detail-type": ["Step Functions Execution Status Change"],
          detail: { status: statuses, stateMachineArn: [{ Ref: machine }] },
        },
        State: "ENABLED",
        Targets: [{ Id: "Target0", Arn: { "Fn::GetAtt": [target, "Arn"] } }],
      },
    };
  }
  // the buckets' names are read from a function's environment, so there is always one
  if (!parts.functions) {
    resources.Idle = {
      Type: "AWS::Lambda::Function",
      Properties: { Code: { S3Key: "idle.zip" }, Handler: "index.handler", Environment: { Variables: variables } },
    };
  }
  write("Pipeline.template.json", { Resources: resources });
  const { visibilitySeconds: jobSeconds = 1, maxReceives: jobReceives = 3 } = parts.jobQueue ?? {};
  write("fedmkt-dev-client.template.json", smallClientTemplate(jobSeconds, jobReceives));
  const artifact = (name: string) => ({
    type: "aws:cloudformation:stack",
    properties: { templateFile: `${name}.template.json` },
  });
  write("manifest.json", {
    version: "48.0.0",
    artifacts: {
      "fedmkt-dev-client": artifact("fedmkt-dev-client"),
      Pipeline: artifact("Pipeline"),
      State: artifact("State"),
    },
  });
  return { folder, assembly, worker, queueWorker };
}

/** The definition as text with its references left to CloudFormation, as CDK writes it. */
function joined(definition: object): object {
  const references: object[] = [];
  const marked = JSON.stringify(definition, (_, value: unknown) => {
    const key = typeof value === "object" && value !== null ? Object.keys(value)[0] : undefined;
    if (key !== "Ref" && key !== "Fn::ImportValue" && key !== "Fn::GetAtt") return value;
    references.push(value as object);
    return `@${references.length - 1}@`;
  });
  const parts = marked.split(/@(\d+)@/).map((part, index) => (index % 2 === 0 ? part : references[Number(part)]));
  return { "Fn::Join": ["", parts] };
}

/** A worker's or handler's way to call S3 (with `authorization`), Step Functions, SQS and ECS without an SDK. */
export const CALL_STATES = `
const authorization = "AWS4-HMAC-SHA256 Credential=" + process.env.AWS_ACCESS_KEY_ID + "/a/us-east-1/s3/aws4_request";
const service = (prefix) => async (operation, input) => {
  const answer = await fetch(process.env.AWS_ENDPOINT_URL, {
    method: "POST",
    headers: { authorization, "content-type": "application/x-amz-json-1.0", "x-amz-target": prefix + "." + operation },
    body: JSON.stringify(input),
  });
  return { status: answer.status, ...JSON.parse((await answer.text()) || "{}") };
};
const states = service("AWSStepFunctions");
const sqs = service("AmazonSQS");
const ecs = service("AmazonEC2ContainerServiceV20141113");`;
