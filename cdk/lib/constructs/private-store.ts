import { Aws, type CfnCondition, Fn } from "aws-cdk-lib";
import {
  AccountRootPrincipal,
  ArnPrincipal,
  Effect,
  PolicyDocument,
  PolicyStatement,
  StarPrincipal,
} from "aws-cdk-lib/aws-iam";
import type { Key } from "aws-cdk-lib/aws-kms";
import { Construct, type IConstruct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { explainWildcards } from "./explain-finding.ts";
import { HouseKey } from "./house-key.ts";
import { PrivateBucket } from "./private-bucket.ts";

/** What a key's administrators may do: everything but use it. */
const ADMINISTRATION = [
  "kms:CancelKeyDeletion",
  "kms:CreateAlias",
  "kms:DeleteAlias",
  "kms:DescribeKey",
  "kms:DisableKey",
  "kms:DisableKeyRotation",
  "kms:EnableKey",
  "kms:EnableKeyRotation",
  "kms:GetKeyPolicy",
  "kms:GetKeyRotationStatus",
  "kms:ListGrants",
  "kms:ListKeyPolicies",
  "kms:ListResourceTags",
  "kms:PutKeyPolicy",
  "kms:RevokeGrant",
  "kms:ScheduleKeyDeletion",
  "kms:TagResource",
  "kms:UntagResource",
  "kms:UpdateAlias",
  "kms:UpdateKeyDescription",
];

export interface PrivateStoreProps {
  settings: DeploymentSettings;
  alias: string;
  accessLog: { bucketName: string; prefix: string };
  /** the only role that reads */
  readerRoleArn: string;
  /** the only principal that writes, where the condition holds; else whom the account's own policies let */
  owner: { principalArn: string; isGiven: CfnCondition };
}

/**
 * A client's private data: a bucket and a key that one role reads by, and nobody else, the account's administrators
 * included. Its owner puts data in and takes them away, and does not read them here either.
 */
export class PrivateStore extends Construct {
  readonly key: Key;
  readonly bucket: PrivateBucket;

  constructor(scope: Construct, id: string, props: PrivateStoreProps) {
    super(scope, id);
    const { settings, readerRoleArn, owner } = props;
    const either = (given: string, otherwise: string) =>
      Fn.conditionIf(owner.isGiven.logicalId, given, otherwise).toString();
    const accountRoot = new AccountRootPrincipal();
    const writer = new ArnPrincipal(either(owner.principalArn, `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:root`));
    // only through S3: the key itself opens nothing
    const throughS3 = { StringEquals: { "kms:ViaService": `s3.${Aws.REGION}.amazonaws.com` } };
    this.key = new HouseKey(this, "Key", {
      settings,
      alias: props.alias,
      policy: new PolicyDocument({
        statements: [
          new PolicyStatement({ principals: [accountRoot], actions: ADMINISTRATION, resources: ["*"] }),
          new PolicyStatement({
            principals: [new ArnPrincipal(readerRoleArn)],
            actions: ["kms:Decrypt"],
            resources: ["*"],
            conditions: throughS3,
          }),
          new PolicyStatement({
            principals: [writer],
            actions: ["kms:Decrypt", "kms:GenerateDataKey"],
            resources: ["*"],
            conditions: throughS3,
          }),
        ],
      }),
    });
    this.bucket = new PrivateBucket(this, "Bucket", {
      encryptionKey: this.key,
      accessLog: props.accessLog,
      retain: settings.retain,
      versioned: true,
    });
    const objects = this.bucket.arnForObjects("*");
    const deny = (actions: string[], allowed: string) =>
      this.bucket.addToResourcePolicy(
        new PolicyStatement({
          effect: Effect.DENY,
          principals: [new StarPrincipal()],
          actions,
          resources: [objects],
          conditions: { ArnNotLike: { "aws:PrincipalArn": allowed } },
        }),
      );
    deny(["s3:GetObject*"], readerRoleArn);
    deny(
      ["s3:PutObject*", "s3:DeleteObject*"],
      either(owner.principalArn, `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:*`),
    );
    this.bucket.addToResourcePolicy(
      new PolicyStatement({
        principals: [writer],
        actions: ["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"],
        resources: [objects],
      }),
    );
  }

  /**
   * What the reader's own policy says: the same as the bucket's and the key's.
   * @param holder - of the policy that the statements go into
   */
  readerStatements(holder: IConstruct): PolicyStatement[] {
    explainWildcards(holder, [
      { matching: this.bucket.arnForObjects("*"), reason: "The one party's own bucket: all of it is for this role." },
    ]);
    return [
      new PolicyStatement({ actions: ["s3:GetObject"], resources: [this.bucket.arnForObjects("*")] }),
      new PolicyStatement({ actions: ["s3:ListBucket"], resources: [this.bucket.bucketArn] }),
      new PolicyStatement({ actions: ["kms:Decrypt"], resources: [this.key.keyArn] }),
    ];
  }
}
