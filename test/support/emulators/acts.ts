import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { AssumeRoleCommand } from "@aws-sdk/client-sts";
import type { AwsClients } from "./aws-clients.ts";

/** One thing that somebody may do or not, as policies name it and as it is done. */
export interface Act {
  action: string;
  resource: string;
  perform(aws: AwsClients): Promise<unknown>;
}

export const reading = (bucket: string, key: string): Act => ({
  action: "s3:GetObject",
  resource: `arn:aws:s3:::${bucket}/${key}`,
  perform: async ({ s3 }) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    await Body!.transformToByteArray();
  },
});

export const writing = (bucket: string, key: string): Act => ({
  action: "s3:PutObject",
  resource: `arn:aws:s3:::${bucket}/${key}`,
  perform: ({ s3 }) => s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: "written by a test" })),
});

export const receiving = (queueUrl: string, queueArn: string): Act => ({
  action: "sqs:ReceiveMessage",
  resource: queueArn,
  perform: ({ sqs }) => sqs.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, VisibilityTimeout: 0 })),
});

export const taking = (roleArn: string, externalId: string): Act => ({
  action: "sts:AssumeRole",
  resource: roleArn,
  perform: ({ sts }) =>
    sts.send(new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: "test", ExternalId: externalId })),
});

/** Tries an act. @throws whatever else than a refusal went wrong: a missing object must not pass for a closed door */
export async function attempt(act: Act, aws: AwsClients): Promise<"allowed" | "refused"> {
  try {
    await act.perform(aws);
    return "allowed";
  } catch (error) {
    const { name, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    if (/AccessDenied/.test(name) && $metadata?.httpStatusCode === 403) return "refused";
    throw error;
  }
}
