import { paginateListStacks } from "@aws-sdk/client-cloudformation";
import { paginateDescribeLogGroups } from "@aws-sdk/client-cloudwatch-logs";
import { paginateListClusters, paginateListTaskDefinitionFamilies } from "@aws-sdk/client-ecs";
import { ListBucketsCommand } from "@aws-sdk/client-s3";
import { paginateListStateMachines } from "@aws-sdk/client-sfn";
import { paginateListQueues } from "@aws-sdk/client-sqs";
import type { AwsClients } from "./aws-clients.ts";
import type { Emulator } from "./emulator.ts";
import { identity } from "./identity.ts";
import { jsonRequest, signedRequest } from "./signed-request.ts";

/** What an account holds of the project, by kind; keys of KMS that are pending deletion are on their way out and count as such. */
export interface Holdings {
  stacks: string[];
  buckets: string[];
  queues: string[];
  roles: string[];
  logGroups: string[];
  machines: string[];
  functions: string[];
  clusters: string[];
  taskFamilies: string[];
  tables: string[];
  rules: string[];
  keys: string[];
}

/** @param prefix - of the names that count: `fedmkt-dev-`; keys have no names, all count that are not AWS's own */
export async function holdings(emulator: Emulator, aws: AwsClients, prefix: string): Promise<Holdings> {
  const ours = (name: string) => name.includes(prefix);
  const stacks: string[] = [];
  for await (const { StackSummaries } of paginateListStacks({ client: aws.cloudFormation }, {}))
    for (const { StackName, StackStatus } of StackSummaries ?? [])
      if (StackStatus !== "DELETE_COMPLETE") stacks.push(StackName!);
  const queues: string[] = [];
  for await (const { QueueUrls } of paginateListQueues({ client: aws.sqs }, {})) queues.push(...(QueueUrls ?? []));
  const logGroups: string[] = [];
  for await (const page of paginateDescribeLogGroups({ client: aws.logs }, {}))
    logGroups.push(...(page.logGroups ?? []).map(({ logGroupName }) => logGroupName!));
  const machines: string[] = [];
  for await (const { stateMachines } of paginateListStateMachines({ client: aws.stepFunctions }, {}))
    machines.push(...(stateMachines ?? []).map(({ name }) => name!));
  const clusters: string[] = [];
  for await (const { clusterArns } of paginateListClusters({ client: aws.ecs }, {}))
    clusters.push(...(clusterArns ?? []));
  const taskFamilies: string[] = [];
  for await (const { families } of paginateListTaskDefinitionFamilies({ client: aws.ecs }, { status: "ACTIVE" }))
    taskFamilies.push(...(families ?? []));
  const { Buckets = [] } = await aws.s3.send(new ListBucketsCommand({}));
  const { Functions } = JSON.parse(
    await signedRequest(emulator, { service: "lambda", method: "GET", path: "/2015-03-31/functions/" }),
  );
  const { Rules } = await jsonRequest<{ Rules: { Name: string }[] }>(emulator, "events", "AWSEvents.ListRules");
  const logPrefix = `/${prefix.replace(/-$/, "").replace("-", "/")}/`;
  return {
    stacks: stacks.filter(ours),
    buckets: Buckets.map(({ Name }) => Name!).filter(ours),
    queues: queues.filter(ours),
    roles: (await identity(emulator).roles()).filter(ours),
    logGroups: logGroups
      .filter((name) => ours(name) || name.startsWith(logPrefix))
      .filter((name) => emulator.ownLogGroups === null || !name.startsWith(emulator.ownLogGroups)),
    machines: machines.filter(ours),
    functions: (Functions as { FunctionName: string }[]).map(({ FunctionName }) => FunctionName).filter(ours),
    clusters: clusters.filter(ours),
    taskFamilies: taskFamilies.filter(ours),
    tables: (await tables(emulator)).filter(ours),
    rules: Rules.map(({ Name }) => Name).filter(ours),
    keys: await livingKeys(emulator),
  };
}

async function tables(emulator: Emulator): Promise<string[]> {
  if (!emulator.hasTables) return [];
  const target = "DynamoDB_20120810.ListTables";
  const { TableNames } = await jsonRequest<{ TableNames: string[] }>(emulator, "dynamodb", target, {}, "1.0");
  return TableNames;
}

/** Customer keys that are neither deleted nor about to be. */
async function livingKeys(emulator: Emulator): Promise<string[]> {
  const { Keys } = await jsonRequest<{ Keys: { KeyId: string }[] }>(emulator, "kms", "TrentService.ListKeys");
  const living: string[] = [];
  for (const { KeyId } of Keys) {
    const { KeyMetadata } = await jsonRequest<{ KeyMetadata: { KeyState: string; KeyManager: string } }>(
      emulator,
      "kms",
      "TrentService.DescribeKey",
      { KeyId },
    );
    if (KeyMetadata.KeyManager === "CUSTOMER" && KeyMetadata.KeyState !== "PendingDeletion") living.push(KeyId);
  }
  return living;
}

/** The keys that bear these aliases, without `alias/`, in the same order. */
export async function keysCalled(emulator: Emulator, aliases: readonly string[]): Promise<string[]> {
  const { Aliases } = await jsonRequest<{ Aliases: { AliasName: string; TargetKeyId?: string }[] }>(
    emulator,
    "kms",
    "TrentService.ListAliases",
  );
  return aliases.map((alias) => Aliases.find(({ AliasName }) => AliasName === `alias/${alias}`)!.TargetKeyId!);
}
