import { readFileSync } from "node:fs";
import {
  BUCKETS,
  type BucketName,
  deploymentNames,
  type EnvironmentName,
} from "../../../shared/src/contracts/deployment.ts";
import type { SiteFile } from "../../../shared/src/contracts/site-file.ts";
import type { StackOutputs } from "./cdk.ts";
import type { CommandLine } from "./command-line.ts";
import type { Emulator } from "./emulator.ts";
import { CLIENT_NAMES, type Client } from "./four-clients.ts";
import type { Site } from "./site.ts";

export const ENVIRONMENT: EnvironmentName = "dev";
export const NAMES = deploymentNames(ENVIRONMENT);

/** One client is made as an operator does, by `fedmkt clients add`; the others come with `cdk deploy --all`. */
const BY_COMMAND: Client = "orchard";
export const CLIENTS_BY_CDK = CLIENT_NAMES.filter((client) => client !== BY_COMMAND);

/** What the site of a client that CDK made names to take the client's role; `clients add` makes up its own. */
export const EXTERNAL_ID = "agreed-with-the-site";

/** What differs from the stacks' defaults: an emulator has no capacity, and a site's worker and data are at the site. */
export function deployParameters(sites: readonly Site[]): Record<string, string> {
  const ofSites = sites
    .filter(({ client }) => client !== BY_COMMAND)
    .flatMap(({ client, workerRoleArn }) =>
      Object.entries({ WorkerPrincipal: workerRoleArn, ExternalId: EXTERNAL_ID, HostPrivateData: "no" }).map(
        ([parameter, value]) => [`${NAMES.clientStack(client)}:${parameter}`, value],
      ),
    );
  return { UseCloudCapacity: "false", ...Object.fromEntries(ofSites) };
}

/** Makes a site's client where that is still to be done. @returns what the site is told */
export async function letSiteJoin(
  { client, workerRoleArn }: Site,
  coordinator: {
    emulator: Emulator;
    fedmkt: CommandLine;
    outputs: StackOutputs;
    bucket(name: BucketName): string;
  },
): Promise<SiteFile> {
  const { emulator, fedmkt, outputs, bucket } = coordinator;
  if (client === BY_COMMAND) {
    const { file } = await fedmkt.run<{ file: string }>(
      "clients",
      "add",
      client,
      "--principal",
      workerRoleArn,
      "--yes",
    );
    return JSON.parse(readFileSync(file, "utf8"));
  }
  const { PartyRoleArn, JobQueueUrl } = outputs[NAMES.clientStack(client)];
  return {
    version: 1,
    environment: ENVIRONMENT,
    client,
    account: emulator.account,
    region: emulator.region,
    roleArn: PartyRoleArn,
    externalId: EXTERNAL_ID,
    queueUrl: JobQueueUrl,
    buckets: Object.fromEntries(BUCKETS.map((name) => [name, bucket(name)])) as SiteFile["buckets"],
  };
}
