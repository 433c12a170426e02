import { BUCKETS, WORKER_IMAGE } from "@fedmkt/shared/contracts/deployment.ts";
import { partyName } from "@fedmkt/shared/contracts/identifier.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { type CdkContext, contextArguments, runCdk } from "../cloud/cdk-program.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { confirm, requireAnswer, YES_ARGUMENT } from "../cloud/confirm.ts";
import { listClients } from "../cloud/deployed-clients.ts";
import { listEndpoints } from "../cloud/deployed-endpoints.ts";
import { ENVIRONMENT_ARGUMENT, readEnvironment } from "../cloud/environment-argument.ts";
import {
  describeCost,
  type EndpointToDeploy,
  INFERENCE_ARGUMENTS,
  placeEndpoint,
  readInference,
  requireModel,
} from "../cloud/inference-arguments.ts";
import { requireCheckout } from "../cloud/require-checkout.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";

/** What `cdk bootstrap` makes in an account and region, once. */
const BOOTSTRAP_STACK = "CDKToolkit";

export const command: Command = {
  meta: { name: "deploy", description: "make or change a deployment in the account that the credentials belong to" },
  args: {
    ...ENVIRONMENT_ARGUMENT,
    clients: { type: "string", valueHint: "a,b", description: "clients to make with it (later: fedmkt clients add)" },
    image: {
      type: "string",
      valueHint: "name|build",
      description: "the workers' image in a registry; build makes it here with Docker (default; none for an emulator)",
    },
    workers: {
      type: "enum",
      options: ["gpu", "cpu"],
      description: "what the cluster's tasks compute on (default: gpu)",
    },
    "alarm-email": { type: "string", valueHint: "address", description: "who is told of alarms and of the budget" },
    "cloud-capacity": {
      type: "enum",
      options: ["true", "false"],
      description: "false for an emulator: no GPU machines, scaling, budgets, flow logs (default: true)",
    },
    ...INFERENCE_ARGUMENTS,
    bootstrap: { type: "boolean", description: "prepare the account and region for the CDK first, where it is not" },
    ...YES_ARGUMENT,
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt deploy --environment dev --bootstrap",
    "fedmkt deploy --environment prod --clients ward,harbour --image 111122223333.dkr.ecr.eu-central-1.amazonaws.com/fedmkt:1",
    "fedmkt deploy --inference-model s3://fedmkt-dev-public-111122223333-eu-central-1/models/smollm2 --inference-certificate arn:aws:acm:…",
  ],
  async run(context): Promise<Outcome> {
    const { args, dependencies } = context;
    const environment = readEnvironment(context);
    const clients = readClients(args.clients as string | undefined);
    const asked = readInference(context, environment);
    const checkout = requireCheckout("deploy");
    const cloud = await dependencies.openCloud(environment);
    const endpoint = asked === null ? null : placeEndpoint(asked, cloud);
    if (endpoint !== null) await requireModel(endpoint, cloud);
    await refuseKeptBuckets(cloud);
    const question = `Deploy ${environment} to account ${cloud.account}, region ${cloud.region}?`;
    requireAnswer(context, question);
    await bootstrap(context, checkout, cloud);
    const app = contextArguments(environment, {
      ...readContext(args, clients),
      ...endpoint?.context,
    });
    const quiet = ["--no-notices", "--no-color"];
    if (args.yes !== true) await runCdk(context, checkout, cloud, ["diff", ...app, ...quiet]);
    if (endpoint !== null) context.io.stderr.write(`${describeCost(endpoint)}\n`);
    await confirm(context, question);
    const capacity = args["cloud-capacity"] as string | undefined;
    const stacks = [
      cloud.names.pipelineStack,
      ...clients.map((client) => cloud.names.clientStack(client)),
      ...(endpoint === null ? [] : [endpoint.stack]),
    ];
    const parameters =
      capacity === undefined
        ? []
        : stacks.flatMap((stack) => ["--parameters", `${stack}:UseCloudCapacity=${capacity}`]);
    const approved = ["--require-approval", "never"];
    await runCdk(context, checkout, cloud, ["deploy", "--all", ...app, ...approved, ...parameters, ...quiet]);
    const buckets = { control: cloud.bucket("control"), public: cloud.bucket("public") };
    // clients that came otherwise keep their template and image until they are added again
    const outdated = (await listClients(cloud)).map(({ id }) => id).filter((id) => !clients.includes(id));
    const endpoints = await listEndpoints(cloud);
    return {
      data: { environment, account: cloud.account, region: cloud.region, clients, outdated, buckets, endpoints },
      text: [
        describeNext(cloud, clients, outdated),
        ...(endpoint === null ? [] : await describeEndpoint(cloud, endpoint)),
      ].join("\n"),
    };
  },
};

function readClients(text: string | undefined): string[] {
  const clients = (text ?? "").split(",").filter((client) => client !== "");
  for (const client of clients)
    if (!partyName.safeParse(client).success || client === "server")
      throw new InvalidInputError(
        "BAD_ARGUMENT",
        `fedmkt deploy: --clients: expected ids of clients with commas between, got ${JSON.stringify(client)}`,
      );
  return clients;
}

function readContext(args: CommandContext["args"], clients: readonly string[]): CdkContext {
  // an emulator starts no containers, and whoever tries one may have no Docker
  const image = args["cloud-capacity"] === "false" ? WORKER_IMAGE : "build";
  const given = {
    clients: clients.length === 0 ? undefined : clients.join(","),
    workerImage: args.image ?? image,
    workers: args.workers,
    alarmEmail: args["alarm-email"],
  };
  return Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

/** What a destroyed deployment kept has its fixed names: CloudFormation makes no second bucket of the name, and takes none over. */
async function refuseKeptBuckets({ stacks, names, objects, bucket, environment }: Cloud): Promise<void> {
  const there = await stacks.describe(names.stateStack);
  // a first attempt that was rolled back owns nothing
  if (there !== null && !there.status.startsWith("ROLLBACK_")) return;
  const kept: string[] = [];
  for (const name of BUCKETS) if (await objects.hasBucket(bucket(name))) kept.push(`s3://${bucket(name)}`);
  if (kept.length > 0)
    throw new InvalidInputError(
      "BUCKETS_KEPT",
      `an earlier ${environment} kept ${kept.join(", ")}, and a new one needs their names; copy what you want to keep and delete them, or deploy to another region`,
    );
}

async function bootstrap(context: CommandContext, checkout: string, cloud: Cloud): Promise<void> {
  if ((await cloud.stacks.describe(BOOTSTRAP_STACK)) !== null) return;
  const place = `aws://${cloud.account}/${cloud.region}`;
  if (context.args.bootstrap !== true)
    throw new InvalidInputError(
      "BOOTSTRAP_MISSING",
      `${place} is not prepared for the CDK (there is no stack ${BOOTSTRAP_STACK}); --bootstrap does that first`,
    );
  await runCdk(context, checkout, cloud, ["bootstrap", place, "--no-notices", "--no-color"]);
}

function describeNext(
  { environment, account, region, bucket }: Cloud,
  clients: readonly string[],
  outdated: readonly string[],
): string {
  return [
    `${environment} is deployed to account ${account}, region ${region}. Next:`,
    ...outdated.map(
      (id) => `  fedmkt clients add ${id} --environment ${environment}        brings this client up to date`,
    ),
    ...(clients.length + outdated.length > 0
      ? []
      : [`  fedmkt clients add ID --environment ${environment}        a client: its role, queue and bucket`]),
    `  aws s3 cp --recursive MODEL s3://${bucket("public")}/models/NAME/   or let --upload copy what is shared`,
    `  fedmkt run run.yaml --environment ${environment} --upload    a run`,
  ].join("\n");
}

async function describeEndpoint({ environment, stacks, names }: Cloud, endpoint: EndpointToDeploy): Promise<string[]> {
  const address = (await stacks.describe(endpoint.stack))?.outputs.Address;
  return [
    `  fedmkt keys add NAME --secret ${names.endpointKeys(endpoint.settings.name)}    a key for ${endpoint.stack} of ${environment}`,
    ...(address === undefined
      ? []
      : [`  a CNAME from the certificate's name to ${address}    where it answers, at /v1 by HTTPS`]),
  ];
}
