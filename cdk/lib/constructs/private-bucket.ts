import { type CfnResource, Duration, RemovalPolicy } from "aws-cdk-lib";
import { type IGrantable, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { BlockPublicAccess, Bucket, BucketEncryption, type CfnBucket, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { explainWildcards } from "./explain-finding.ts";
import { keyWildcards } from "./key-patterns.ts";

export interface PrivateBucketProps {
  /** absent: CloudFormation chooses one */
  bucketName?: string;
  encryptionKey: IKey;
  /** where a note of each access goes */
  accessLog: { bucketName: string; prefix: string };
  /** whether the bucket outlives its stack */
  retain: boolean;
  /** whether overwritten and deleted objects can be had back for 30 days */
  versioned: boolean;
  /** whether every write becomes an EventBridge event */
  announceWrites?: boolean;
}

/** A bucket with the house's defaults: KMS, TLS only, nothing public; grants name patterns of keys and single actions. */
export class PrivateBucket extends Bucket {
  constructor(scope: Construct, id: string, props: PrivateBucketProps) {
    super(scope, id, {
      bucketName: props.bucketName,
      encryption: BucketEncryption.KMS,
      encryptionKey: props.encryptionKey,
      bucketKeyEnabled: true,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      versioned: props.versioned,
      removalPolicy: props.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      lifecycleRules: [
        {
          abortIncompleteMultipartUploadAfter: Duration.days(1),
          ...(props.versioned ? { noncurrentVersionExpiration: Duration.days(30) } : {}),
        },
      ],
    });
    // a bucket that outlives its stack keeps the policy that closes it
    if (props.retain) (this.policy!.node.defaultChild as CfnResource).applyRemovalPolicy(RemovalPolicy.RETAIN);
    const bucket = this.node.defaultChild as CfnBucket;
    bucket.loggingConfiguration = {
      destinationBucketName: props.accessLog.bucketName,
      logFilePrefix: props.accessLog.prefix,
    };
    // `eventBridgeEnabled: true` would add a Python custom resource that no emulator runs; the plain property does the same
    if (props.announceWrites)
      bucket.notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } };
  }

  /**
   * Reading what patterns of keys name (`*` spans slashes). Listing covers the whole bucket (names, not contents), since
   * without it S3 answers 403 instead of 404 for what is not there, and a missing object must be told from a forbidden one.
   */
  grantReadOf(grantee: IGrantable, ...keys: string[]): void {
    this.allow(grantee, ["s3:GetObject"], keys);
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ["s3:ListBucket"], resources: [this.bucketArn] }),
    );
    this.allowKey(grantee, ["kms:Decrypt"]);
  }

  /** Writing what patterns of keys name; `kms:Decrypt` because S3 reads the parts of a multi-part upload back. */
  grantWriteOf(grantee: IGrantable, ...keys: string[]): void {
    this.allow(grantee, ["s3:PutObject", "s3:AbortMultipartUpload"], keys);
    this.allowKey(grantee, ["kms:Decrypt", "kms:GenerateDataKey"]);
  }

  private allow(grantee: IGrantable, actions: string[], keys: string[]): void {
    const { grantPrincipal } = grantee;
    const resources = keys.map((key) => this.arnForObjects(key));
    grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions, resources }));
    if (Construct.isConstruct(grantPrincipal)) explainWildcards(grantPrincipal, keyWildcards(resources));
  }

  private allowKey(grantee: IGrantable, actions: string[]): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions, resources: [this.encryptionKey!.keyArn] }),
    );
  }
}
