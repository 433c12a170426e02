import { InvalidInputError, TransientError } from "@fedmkt/shared/core/errors.ts";
import { contextArguments, runCdk } from "../cloud/cdk-program.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { confirm, YES_ARGUMENT } from "../cloud/confirm.ts";
import { type DeployedClient, listClients } from "../cloud/deployed-clients.ts";
import { type DeployedEndpoint, listEndpoints, removeEndpoint } from "../cloud/deployed-endpoints.ts";
import { ENVIRONMENT_ARGUMENT, readEnvironment } from "../cloud/environment-argument.ts";
import { requireCheckout } from "../cloud/require-checkout.ts";
import { runsUnderWay } from "../cloud/runs-under-way.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";

/** S3 delivers notes of accesses late: into a bucket that was emptied a moment ago, and then cannot be deleted. */
const ATTEMPTS = 3;

/** ECS takes a machine without a task away after some 15 minutes. */
const MACHINES_GO_MS = 30 * 60_000;
const LOOK_MS = 15_000;

export const command: Command = {
  meta: {
    name: "destroy",
    description: "take a deployment away: dev with everything in it, prod without what people made",
  },
  args: {
    ...ENVIRONMENT_ARGUMENT,
    endpoint: {
      type: "string",
      valueHint: "name",
      description: "only this inference endpoint: inference, or inference-NAME",
    },
    ...YES_ARGUMENT,
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt destroy --environment dev",
    "fedmkt destroy --environment prod",
    "fedmkt destroy --environment prod --endpoint inference-chat",
  ],
  async run(context): Promise<Outcome> {
    const { io } = context;
    if (context.args.endpoint !== undefined) return destroyEndpoint(context);
    const checkout = requireCheckout("destroy");
    const cloud = await context.dependencies.openCloud(readEnvironment(context));
    const clients = await listClients(cloud);
    const endpoints = await listEndpoints(cloud);
    await requireSomething(cloud, [...clients, ...endpoints]);
    await refuseRunning(cloud);
    const { emptied, kept } = await sortBuckets(cloud, clients);
    const say = (line: string) => io.stderr.write(`${line}\n`);
    say(`${cloud.environment} in account ${cloud.account}, region ${cloud.region}:`);
    for (const bucket of emptied) say(`  deleted with every version in it: s3://${bucket}`);
    for (const bucket of kept) say(`  kept, with its key: s3://${bucket}`);
    for (const { id } of clients) say(`  client ${id}: role, queue and task definition are deleted`);
    for (const endpoint of endpoints) say(`  ${describeRemoval(endpoint)}`);
    say("  functions, machines, queues, cluster, alarms and logs are deleted");
    await confirm(context, `Destroy ${cloud.environment}?`);
    await letMachinesGo(context, cloud);
    for (const endpoint of endpoints) await removeEndpoint(cloud, endpoint, say);
    await empty(cloud, emptied, say);
    for (const { id } of clients) await cloud.stacks.remove(cloud.names.clientStack(id), say);
    await destroyStacks(context, cloud, checkout, emptied, say);
    return {
      data: {
        environment: cloud.environment,
        emptied,
        kept,
        clients: clients.map(({ id }) => id),
        endpoints: endpoints.map(({ stack }) => stack),
      },
      text: [`${cloud.environment} is gone`, ...kept.map((bucket) => `  kept: s3://${bucket}`)].join("\n"),
    };
  },
};

/** One endpoint, and nothing else of the deployment. */
async function destroyEndpoint(context: CommandContext): Promise<Outcome> {
  const cloud = await context.dependencies.openCloud(readEnvironment(context));
  const { environment } = cloud;
  const endpoints = await listEndpoints(cloud);
  const short = (stack: string) => stack.slice(`fedmkt-${environment}-`.length);
  const endpoint = endpoints.find(({ stack }) => short(stack) === context.args.endpoint);
  if (endpoint === undefined)
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt destroy: --endpoint: expected ${endpoints.map(({ stack }) => short(stack)).join(" or ") || `an endpoint, and ${environment} has none`}, got ${JSON.stringify(context.args.endpoint)}`,
    );
  const say = (line: string) => context.io.stderr.write(`${line}\n`);
  say(describeRemoval(endpoint));
  await confirm(context, `Destroy ${endpoint.stack}?`);
  await removeEndpoint(cloud, endpoint, say);
  return { data: { environment, endpoints: [endpoint.stack] }, text: `${endpoint.stack} is gone` };
}

function describeRemoval({ stack }: DeployedEndpoint): string {
  return `endpoint ${stack}: its keys, machines, load balancer and the notes of who asked are deleted`;
}

/** What an earlier attempt has left is enough: it may have ended in the middle. @throws InvalidInputError `DEPLOYMENT_MISSING` */
async function requireSomething(
  { stacks, names, environment, account, region }: Cloud,
  left: readonly unknown[],
): Promise<void> {
  if (left.length > 0) return;
  for (const name of [names.pipelineStack, names.stateStack]) if ((await stacks.describe(name)) !== null) return;
  throw new InvalidInputError(
    "DEPLOYMENT_MISSING",
    `expected a deployment "${environment}" in account ${account}, region ${region}, found none; there is nothing to destroy`,
  );
}

/**
 * CloudFormation cannot delete a group of machines while one of them is protected, as those of the cluster are until ECS takes them
 * away. Asked before anything is gone.
 * @throws TransientError `MACHINES_THERE`
 */
async function letMachinesGo({ io, dependencies }: CommandContext, cloud: Cloud): Promise<void> {
  const { names, stacks, clusters } = cloud;
  const pipeline = await stacks.describe(names.pipelineStack);
  if (pipeline === null || pipeline.parameters.UseCloudCapacity === "false") return;
  let told = false;
  for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
    const machines = await clusters.countMachines(names.cluster);
    if (machines === 0) return;
    if (io.signal.aborted || waitedMs >= MACHINES_GO_MS)
      throw new TransientError(
        "MACHINES_THERE",
        `${names.cluster}: expected no GPU machine, there are ${machines}; ECS takes them away some 15 minutes after the last job, and nothing was destroyed yet`,
      );
    if (!told) io.stderr.write(`waiting for ${machines} GPU machines to go, some 15 minutes after the last job\n`);
    told = true;
    await dependencies.wait(LOOK_MS, io.signal);
  }
}

async function refuseRunning(cloud: Cloud): Promise<void> {
  const runs = await runsUnderWay(cloud);
  if (runs.length === 0) return;
  throw new InvalidInputError(
    "RUNS_UNDER_WAY",
    `${cloud.environment}: expected no run that goes on, there are ${runs.join(", ")}; fedmkt stop RUN --environment ${cloud.environment} ends one`,
  );
}

/** `prod` keeps what people made; what is copied there from elsewhere, and notes of accesses, go in either. */
async function sortBuckets(cloud: Cloud, clients: readonly DeployedClient[]) {
  const { stacks, names, environment, bucket } = cloud;
  const accessLog = (await stacks.describe(names.stateStack))?.outputs.AccessLogBucket;
  const made = [bucket("control"), bucket("artefacts"), bucket("registry")];
  const privately = clients.flatMap(({ privateBucket }) => (privateBucket === null ? [] : [privateBucket]));
  const always = [bucket("public"), ...(accessLog === undefined ? [] : [accessLog])];
  // private data first: where their owner alone may delete them, it is told before anything else is gone
  return environment === "prod"
    ? { emptied: always, kept: [...made, ...privately] }
    : { emptied: [...privately, ...made, ...always], kept: [] };
}

async function empty(cloud: Cloud, buckets: readonly string[], say: (line: string) => void): Promise<void> {
  for (const bucket of buckets) {
    const removed = await cloud.objects.empty(bucket);
    if (removed > 0) say(`s3://${bucket}: ${removed} versions deleted`);
  }
}

async function destroyStacks(
  context: CommandContext,
  cloud: Cloud,
  checkout: string,
  emptied: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  const app = contextArguments(cloud.environment);
  for (let attempt = 1; ; attempt++) {
    try {
      await runCdk(context, checkout, cloud, ["destroy", "--all", "--force", ...app, "--no-notices", "--no-color"]);
      return;
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof TransientError)) throw error;
      await empty(cloud, emptied, say);
    }
  }
}
