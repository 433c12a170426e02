import {
  ArnFormat,
  CfnCondition,
  CfnOutput,
  CfnParameter,
  CfnResource,
  DefaultStackSynthesizer,
  Duration,
  Fn,
  Stack,
} from "aws-cdk-lib";
import { Policy, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { CfnEventSourceMapping } from "aws-cdk-lib/aws-lambda";
import { Topic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";
import { CloudCapacity } from "./constructs/cloud-capacity.ts";
import { acknowledge } from "./constructs/explain-finding.ts";
import { JobQueue } from "./constructs/job-queue.ts";
import { PartyPlaces } from "./constructs/party-places.ts";
import { PartyRole } from "./constructs/party-role.ts";
import { PartyTask } from "./constructs/party-task.ts";
import { PrivateStore } from "./constructs/private-store.ts";
import { QueueAlarms } from "./constructs/queue-alarms.ts";
import { siloParameters } from "./constructs/silo-parameters.ts";
import { exportedNames } from "./constructs/stack-exports.ts";
import type { DeploymentSettings } from "./deployment-settings.ts";

/** A site is switched off overnight; it is told of before the wait of a job's state is over, which is after six hours. */
const JOB_LATE = Duration.hours(4);

export interface ClientStackProps {
  settings: DeploymentSettings;
  /** absent: the template for any client */
  client?: string;
}

/**
 * What one silo has in the coordinator's account: the role that its jobs run in, its job queue and its task definition, and
 * unless it keeps them elsewhere a bucket for its private data. Everything that differs between clients is a parameter, so
 * that one template, deployed without CDK, makes any of them.
 */
export class ClientStack extends Stack {
  readonly jobs: JobQueue;
  readonly role: PartyRole;

  constructor(scope: Construct, id: string, props: ClientStackProps) {
    // what CloudFormation alone deploys asks for no bootstrapped account
    super(scope, id, { synthesizer: new DefaultStackSynthesizer({ generateBootstrapVersionRule: false }) });
    const { settings } = props;
    const { names } = settings;
    const exported = exportedNames(names);
    const parameters = siloParameters(this, props.client);
    const capacity = new CloudCapacity(this);
    if (settings.workers === "cpu")
      acknowledge(this, {
        "CloudFormation-Validate::W8001": "Every client's stack is asked the same, also where Fargate is all there is.",
      });
    const client = parameters.client.valueAsString;
    const places = new PartyPlaces(this, names, {
      controlKeyArn: Fn.importValue(exported.controlKeyArn),
      artefactKeyArn: Fn.importValue(exported.artefactKeyArn),
    });
    this.role = new PartyRole(this, "Role", {
      settings,
      party: client,
      kind: "client",
      places,
      worker: { ...parameters.worker, externalId: parameters.externalId },
    });
    this.jobs = new JobQueue(this, "Queue", {
      queueName: names.party(client),
      deadLetterName: names.deadJobs(client),
      encryptionKey: Key.fromKeyArn(this, "ControlKey", places.controlKeyArn),
    });
    // a poisoned job fails its waiting state at once, not when its long wait is over
    new CfnEventSourceMapping(this, "DeadJobs", {
      functionName: Fn.importValue(exported.failTaskArn),
      eventSourceArn: this.jobs.deadLetters.queueArn,
      functionResponseTypes: ["ReportBatchItemFailures"],
    });
    // the job queue is the site's way to work: nothing of it opens a port there
    this.role.addToPolicy(
      new PolicyStatement({
        actions: [
          "sqs:ReceiveMessage",
          "sqs:DeleteMessage",
          "sqs:ChangeMessageVisibility",
          "sqs:GetQueueAttributes",
          "sqs:GetQueueUrl",
        ],
        resources: [this.jobs.queue.queueArn],
      }),
    );
    new PartyTask(this, "Task", {
      settings,
      party: client,
      places,
      taskRoleArn: this.role.roleArn,
      executionRoleArn: Fn.importValue(exported.executionRoleArn),
      image: new CfnParameter(this, "WorkerImage", {
        type: "AWS::SSM::Parameter::Value<String>",
        default: names.workerImageParameter,
        description: "the SSM parameter that says which image workers run; the pipeline's stack keeps it",
      }).valueAsString,
      capacity,
    });
    new QueueAlarms(this, "Alarms", {
      name: names.party(client),
      ...this.jobs,
      late: JOB_LATE,
      worksLong: true,
      lateAdvice: "Its site has no worker at work: is fedmkt worker running there, and can it reach AWS?",
      deadLetterAdvice:
        "Ten deliveries could not get it done, and fail-task could not fail its run: look into the logs of both.",
      topic: Topic.fromTopicArn(
        this,
        "AlarmTopic",
        this.formatArn({ service: "sns", resource: names.alarmTopic, arnFormat: ArnFormat.NO_RESOURCE_NAME }),
      ),
    });
    this.#hostPrivateData(settings, client, parameters.owner, Fn.importValue(exported.accessLogBucket));
    new CfnOutput(this, "PartyRoleArn", { value: this.role.roleArn });
    new CfnOutput(this, "JobQueueUrl", { value: this.jobs.queue.queueUrl });
  }
  /** The private bucket and what reads it, all or nothing. */
  #hostPrivateData(
    settings: DeploymentSettings,
    client: string,
    owner: { principalArn: string; isGiven: CfnCondition },
    accessLogBucket: string,
  ): void {
    const parameter = new CfnParameter(this, "HostPrivateData", {
      type: "String",
      default: "yes",
      allowedValues: ["yes", "no"],
      description: "no where the client keeps its private data elsewhere",
    });
    const hosts = new CfnCondition(this, "HostsPrivateData", { expression: Fn.conditionEquals(parameter, "yes") });
    const store = new PrivateStore(this, "Private", {
      settings,
      alias: `${settings.names.clientStack(client)}-private`,
      accessLog: { bucketName: accessLogBucket, prefix: `private/${client}/` },
      readerRoleArn: this.role.roleArn,
      owner,
    });
    const reading = new Policy(this, "PrivateReading", { roles: [this.role] });
    reading.addStatements(...store.readerStatements(reading));
    const output = new CfnOutput(this, "PrivateBucket", { value: store.bucket.bucketName });
    for (const part of [...store.node.findAll(), ...reading.node.findAll()])
      if (CfnResource.isCfnResource(part)) part.cfnOptions.condition = hosts;
    output.condition = hosts;
  }
}
