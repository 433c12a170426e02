import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { ECSClient } from "@aws-sdk/client-ecs";
import { S3Client } from "@aws-sdk/client-s3";
import { SFNClient } from "@aws-sdk/client-sfn";
import { SQSClient } from "@aws-sdk/client-sqs";
import { STSClient } from "@aws-sdk/client-sts";
import type { Credentials, Emulator } from "./emulator.ts";

/** One client a service, all speaking as the same somebody. */
export interface AwsClients {
  s3: S3Client;
  sqs: SQSClient;
  stepFunctions: SFNClient;
  ecs: ECSClient;
  sts: STSClient;
  cloudFormation: CloudFormationClient;
  logs: CloudWatchLogsClient;
  close(): void;
}

/** @param credentials - who speaks; the account's owner unless given */
export function awsClients(emulator: Emulator, credentials: Credentials = emulator.owner): AwsClients {
  const authority = emulator.authority === null ? undefined : readFileSync(emulator.authority);
  const config = {
    endpoint: emulator.endpoint,
    region: emulator.region,
    credentials,
    requestHandler: { httpsAgent: new Agent({ keepAlive: true, maxSockets: 20, ca: authority }) },
  };
  const clients = {
    s3: new S3Client({ ...config, forcePathStyle: true }),
    sqs: new SQSClient({ ...config, useQueueUrlAsEndpoint: false }),
    // its host prefixes do not resolve on a loopback
    stepFunctions: new SFNClient({ ...config, disableHostPrefix: true }),
    ecs: new ECSClient(config),
    sts: new STSClient(config),
    cloudFormation: new CloudFormationClient(config),
    logs: new CloudWatchLogsClient(config),
  };
  return {
    ...clients,
    close() {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}
