import { Duration } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { QueueEncryption } from "aws-cdk-lib/aws-sqs";

/** What every queue of the house has: KMS, TLS only, and two weeks, the most that SQS keeps a message, to look at what went wrong. */
export function houseQueue(encryptionKey: IKey) {
  return {
    encryption: QueueEncryption.KMS,
    encryptionMasterKey: encryptionKey,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
  };
}
