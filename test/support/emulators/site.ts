import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CreateStackCommand, DeleteStackCommand, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { synthesizeSite } from "../../../cdk/lib/synthesize.ts";
import { deploymentNames } from "../../../shared/src/contracts/deployment.ts";
import { type AwsClients, awsClients } from "./aws-clients.ts";
import { emptyBucket } from "./bucket-contents.ts";
import type { Emulator } from "./emulator.ts";
import type { Client } from "./four-clients.ts";

const INTERVAL_MS = 300;

/** What a silo has in an account of its own, deployed there by CloudFormation and parameters alone. */
export interface Site {
  client: Client;
  /** the emulator, seen from the site's account */
  emulator: Emulator;
  aws: AwsClients;
  workerRoleArn: string;
  privateBucket: string;
  destroy(): Promise<void>;
}

/** @param emulator - of the coordinator; the site is another account there */
export async function deploySite(
  emulator: Emulator,
  options: { client: Client; account: string; folder: string },
): Promise<Site> {
  const { client, account } = options;
  const environment = "dev";
  const names = deploymentNames(environment);
  const here: Emulator = { ...emulator, account, owner: { accessKeyId: account, secretAccessKey: "test" } };
  const aws = awsClients(here);
  const assembly = synthesizeSite({ outdir: join(options.folder, "cdk.out"), environment });
  const StackName = names.siteStack(client);
  const parameters = {
    Client: client,
    UseCloudCapacity: "false",
    PartyRoleArn: `arn:aws:iam::${emulator.account}:role/${names.party(client)}`,
  };
  await aws.cloudFormation.send(
    new CreateStackCommand({
      StackName,
      TemplateBody: readFileSync(join(assembly, `fedmkt-${environment}-site.template.json`), "utf8"),
      Capabilities: ["CAPABILITY_NAMED_IAM"],
      Parameters: Object.entries(parameters).map(([ParameterKey, ParameterValue]) => ({
        ParameterKey,
        ParameterValue,
      })),
    }),
  );
  const outputs = await settled(aws, StackName, "CREATE_COMPLETE");
  return {
    client,
    emulator: here,
    aws,
    workerRoleArn: outputs.WorkerRoleArn,
    privateBucket: outputs.PrivateBucket,
    async destroy() {
      await emptyBucket(aws.s3, outputs.PrivateBucket);
      await aws.cloudFormation.send(new DeleteStackCommand({ StackName }));
      await settled(aws, StackName, "DELETE_COMPLETE");
    },
  };
}

/** Waits for a stack's end. A stack that is gone counts as deleted. @returns its outputs */
async function settled(aws: AwsClients, StackName: string, wanted: string): Promise<Record<string, string>> {
  for (;;) {
    const stack = await aws.cloudFormation.send(new DescribeStacksCommand({ StackName })).then(
      ({ Stacks }) => Stacks?.[0],
      (error: Error) => {
        if (error.message.includes("does not exist")) return undefined;
        throw error;
      },
    );
    const status = stack?.StackStatus ?? "DELETE_COMPLETE";
    if (status === wanted)
      return Object.fromEntries((stack?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]));
    if (!status.endsWith("IN_PROGRESS"))
      throw new Error(
        `stack ${StackName}: expected ${wanted}, got ${status}: ${stack?.StackStatusReason ?? "no reason"}`,
      );
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}
