import { CfnOutput, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import { Key } from "aws-cdk-lib/aws-kms";
import type { Construct } from "constructs";
import { PrivateBucket } from "./constructs/private-bucket.ts";
import { ShardQueue } from "./constructs/shard-queue.ts";

/** What outlives a deployment of the pipeline: the key, the buckets and the queue. */
export class StateStack extends Stack {
  readonly key: Key;
  /** run.yaml, plans, public sets, status; material under `material/` */
  readonly control: PrivateBucket;
  /** knowledge, adapters, metrics, what is published */
  readonly artefacts: PrivateBucket;
  readonly shards: ShardQueue;

  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);
    this.key = new Key(this, "Key", { enableKeyRotation: true, removalPolicy: RemovalPolicy.RETAIN });
    this.control = new PrivateBucket(this, "Control", {
      encryptionKey: this.key,
      versioned: true,
      announceWrites: true,
    });
    // every object there is written once, under a key that its job determines: old versions would only cost
    this.artefacts = new PrivateBucket(this, "Artefacts", { encryptionKey: this.key, versioned: false });
    this.shards = new ShardQueue(this, "Shards", { encryptionKey: this.key });
    new CfnOutput(this, "ControlBucket", { value: this.control.bucketName });
    new CfnOutput(this, "ArtefactBucket", { value: this.artefacts.bucketName });
  }
}
