import { setTimeout as sleep } from "node:timers/promises";
import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { ECSClient } from "@aws-sdk/client-ecs";
import { SFNClient } from "@aws-sdk/client-sfn";
import { SQSClient } from "@aws-sdk/client-sqs";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { s3Client } from "@fedmkt/shared/adapters/aws/s3-object-store.ts";
import { deploymentNames, type EnvironmentName } from "@fedmkt/shared/contracts/deployment.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { AwsClusters } from "./aws-clusters.ts";
import { AwsLogs } from "./aws-logs.ts";
import { AwsMachines } from "./aws-machines.ts";
import { AwsObjects } from "./aws-objects.ts";
import { AwsQueues } from "./aws-queues.ts";
import { AwsStacks } from "./aws-stacks.ts";
import type { Cloud } from "./cloud.ts";
import { attempt } from "./cloud-failure.ts";

/** A stack's change takes minutes; an emulator's, a second. */
const STACK_WAIT_MS = 1000;

/**
 * The account that the credentials belong to, in the region that the SDK finds; `AWS_ENDPOINT_URL` names another place than AWS's
 * own. The clients read the process's environment, as every AWS program does.
 * @throws InvalidInputError `REGION_MISSING`, `CREDENTIALS_MISSING`, `CREDENTIALS_REFUSED`
 */
export async function openCloud(environment: EnvironmentName): Promise<Cloud> {
  const region = await findRegion();
  const sts = new STSClient({ region });
  const { Account, Arn } = await attempt("sts:GetCallerIdentity", "the caller", () =>
    sts.send(new GetCallerIdentityCommand({})),
  );
  const account = Account!;
  const partition = Arn!.split(":")[1];
  const names = deploymentNames(environment);
  return {
    environment,
    account,
    region,
    partition,
    names,
    bucket: (name) => names.bucket(name, account, region),
    objects: new AwsObjects(s3Client({ region })),
    machines: new AwsMachines(
      new SFNClient({ region }),
      (machine) => `arn:${partition}:states:${region}:${account}:stateMachine:${machine}`,
    ),
    stacks: new AwsStacks(new CloudFormationClient({ region }), () => sleep(STACK_WAIT_MS)),
    logs: new AwsLogs(new CloudWatchLogsClient({ region })),
    queues: new AwsQueues(new SQSClient({ region, useQueueUrlAsEndpoint: false })),
    clusters: new AwsClusters(new ECSClient({ region })),
  };
}

/** As the SDK does; the older variable, which the CDK understands, counts too. */
async function findRegion(): Promise<string> {
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  if (AWS_REGION || AWS_DEFAULT_REGION) return (AWS_REGION || AWS_DEFAULT_REGION)!;
  try {
    return await new STSClient({}).config.region();
  } catch (cause) {
    throw new InvalidInputError(
      "REGION_MISSING",
      "expected an AWS region (AWS_REGION, or that of AWS_PROFILE), found none",
      { cause },
    );
  }
}
