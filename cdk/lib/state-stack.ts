import type { BucketName } from "@fedmkt/shared/contracts/deployment.ts";
import { Aws, CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Key } from "aws-cdk-lib/aws-kms";
import type { Construct } from "constructs";
import { AccessLogBucket } from "./constructs/access-log-bucket.ts";
import { HouseKey } from "./constructs/house-key.ts";
import { PrivateBucket } from "./constructs/private-bucket.ts";
import { ShardQueue } from "./constructs/shard-queue.ts";
import { exportedNames } from "./constructs/stack-exports.ts";
import type { DeploymentSettings } from "./deployment-settings.ts";

export interface StateStackProps extends StackProps {
  settings: DeploymentSettings;
}

/** What outlives a deployment of the pipeline: keys, buckets and the shard queue. */
export class StateStack extends Stack {
  /** of specs, plans, status, shared material and queues: what directs a run */
  readonly controlKey: Key;
  /** of knowledge and adapters: what a run makes */
  readonly artefactKey: Key;
  /** run.yaml, plans, public sets, status; single parties' models under `material/` */
  readonly control: PrivateBucket;
  /** models, tokenizers and sets that every party may read */
  readonly public: PrivateBucket;
  /** knowledge, adapters, metrics, what is published */
  readonly artefacts: PrivateBucket;
  /** which adapters there are */
  readonly registry: PrivateBucket;
  readonly shards: ShardQueue;
  readonly accessLog: AccessLogBucket;

  constructor(scope: Construct, id: string, props: StateStackProps) {
    super(scope, id, props);
    const { settings } = props;
    const { names } = settings;
    this.controlKey = new HouseKey(this, "ControlKey", { settings, alias: `${names.stateStack}-control` });
    this.artefactKey = new HouseKey(this, "ArtefactKey", { settings, alias: `${names.stateStack}-artefacts` });
    // dead letters of the rules: EventBridge writes them into encrypted queues under its own name
    this.controlKey.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("events.amazonaws.com")],
        actions: ["kms:Decrypt", "kms:GenerateDataKey"],
        resources: ["*"],
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    );
    this.accessLog = new AccessLogBucket(this, "AccessLog");
    const bucket = (name: BucketName, encryptionKey: Key, retain: boolean, versioned: boolean) =>
      new PrivateBucket(this, name[0].toUpperCase() + name.slice(1), {
        bucketName: names.bucket(name, Aws.ACCOUNT_ID, Aws.REGION),
        encryptionKey,
        accessLog: { bucketName: this.accessLog.bucketName, prefix: `${name}/` },
        retain: retain && settings.retain,
        versioned,
        announceWrites: name === "control",
      });
    this.control = bucket("control", this.controlKey, true, true);
    this.public = bucket("public", this.controlKey, false, true);
    // every object there is written once, under a key that its job determines: old versions would only cost
    this.artefacts = bucket("artefacts", this.artefactKey, true, false);
    this.registry = bucket("registry", this.artefactKey, true, true);
    this.shards = new ShardQueue(this, "Shards", { queueName: names.shardQueue, encryptionKey: this.controlKey });

    const exported = exportedNames(names);
    new CfnOutput(this, "ControlKeyArn", { value: this.controlKey.keyArn, exportName: exported.controlKeyArn });
    new CfnOutput(this, "ArtefactKeyArn", { value: this.artefactKey.keyArn, exportName: exported.artefactKeyArn });
    new CfnOutput(this, "AccessLogBucket", { value: this.accessLog.bucketName, exportName: exported.accessLogBucket });
    new CfnOutput(this, "ControlBucket", { value: this.control.bucketName });
    new CfnOutput(this, "PublicBucket", { value: this.public.bucketName });
    new CfnOutput(this, "ArtefactBucket", { value: this.artefacts.bucketName });
    new CfnOutput(this, "RegistryBucket", { value: this.registry.bucketName });
  }
}
