import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { encodeJson } from "@fedmkt/shared/contracts/json-document.ts";
import { type SiteFile, siteFile } from "@fedmkt/shared/contracts/site-file.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { CommandContext, Outcome } from "../command.ts";
import { writeRunFile } from "../run-folder.ts";
import { describePolicy, readClientPolicy } from "./client-policy.ts";
import type { Cloud } from "./cloud.ts";
import { confirm } from "./confirm.ts";
import { type DeployedClient, findClient } from "./deployed-clients.ts";

const ARN = /^arn:[a-z-]+:(iam|sts)::\d{12}:.+$/;
/** No session: the bucket's policy would then shut everybody out. */
const OWNER = /^arn:[a-z-]+:iam::\d{12}:(role|user)\/.+$/;
const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/;

/**
 * Makes a client's part of the deployment, or brings it up to date: shows what its role may do and what is made, asks, applies, and
 * writes down what the client's site needs.
 */
export async function addClient(context: CommandContext, cloud: Cloud, id: string): Promise<Outcome> {
  const { io, dependencies } = context;
  if (id === "server")
    throw new InvalidInputError("BAD_ARGUMENT", 'fedmkt clients: the id "server" is the server\'s own');
  const before = await findClient(cloud, id);
  const parameters = await readParameters(context, cloud, id, before);
  const template = await dependencies.clientTemplate(cloud.environment);
  const policy = await readClientPolicy(cloud, template, parameters);
  const stack = cloud.names.clientStack(id);
  const where = `account ${cloud.account}, region ${cloud.region}`;
  io.stderr.write(
    `${[`stack ${stack} in ${where}${before === null ? "" : `, which is there: ${before.status}`}`, ...describePolicy(policy)].join("\n")}\n`,
  );
  await confirm(context, before === null ? `Make client ${id}?` : `Change client ${id}?`);
  const change = await cloud.stacks.apply({
    name: stack,
    template,
    parameters,
    tags: { "fedmkt:environment": cloud.environment, "fedmkt:client": id },
    onProgress: (line) => io.stderr.write(`${line}\n`),
  });
  const client = (await findClient(cloud, id))!;
  const file = join(io.cwd, `${id}.fedmkt.json`);
  writeRunFile(io.cwd, `${id}.fedmkt.json`, encodeJson(describeSite(cloud, client)));
  return {
    data: { change, client, policy, file, site: describeSite(cloud, client) },
    text: [
      `client ${id} is ${change === "unchanged" ? "as it was" : change}`,
      ...(client.privateBucket === null
        ? []
        : [
            `  its private data go to s3://${client.privateBucket}/${client.dataOwner ? `, put there by ${client.dataOwner}` : ""}`,
          ]),
      client.principal === null
        ? "  its jobs run in the cluster; --principal ARN lets a worker at a site of its own take them"
        : `  its site needs ${id}.fedmkt.json, written here: fedmkt worker --client ${id} --config ${id}.fedmkt.json --data FOLDER`,
    ].join("\n"),
  };
}

/** What was not said stays as it was. */
async function readParameters(
  { args }: Pick<CommandContext, "args">,
  cloud: Cloud,
  id: string,
  before: DeployedClient | null,
): Promise<Record<string, string>> {
  const given = (name: string, pattern: RegExp, expected: string): string | undefined => {
    const text = args[name] as string | undefined;
    if (text === undefined || pattern.test(text)) return text;
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt clients: --${name}: expected ${expected}, got ${JSON.stringify(text)}`,
    );
  };
  const principal = given("principal", ARN, "an IAM role's or user's ARN") ?? before?.principal ?? "";
  const dataOwner = given("data-owner", OWNER, "an IAM role's or user's ARN") ?? before?.dataOwner ?? "";
  const chosen = given("external-id", EXTERNAL_ID, 'letters, digits and +=,.@:/-, or "auto"');
  // whom another account's principal is told to name: against being talked into working for somebody else
  const automatic = chosen === "auto" || (chosen === undefined && principal !== "" && before?.externalId == null);
  const externalId = automatic ? (before?.externalId ?? randomUUID()) : (chosen ?? before?.externalId ?? "");
  const hosts = (args["host-private-data"] as string | undefined) ?? hostsBefore(before, principal);
  const { UseCloudCapacity = "true" } = (await cloud.stacks.describe(cloud.names.pipelineStack))?.parameters ?? {};
  return {
    Client: id,
    WorkerPrincipal: principal,
    ExternalId: externalId,
    DataOwner: dataOwner,
    HostPrivateData: hosts,
    UseCloudCapacity,
  };
}

/** A client with a site of its own keeps its data there, unless it is said otherwise. */
function hostsBefore(before: DeployedClient | null, principal: string): "yes" | "no" {
  if (before !== null) return before.privateBucket === null ? "no" : "yes";
  return principal === "" ? "yes" : "no";
}

/** What a site needs to know. */
export function describeSite(cloud: Cloud, { id, roleArn, externalId, queueUrl }: DeployedClient): SiteFile {
  return siteFile.parse({
    version: 1,
    environment: cloud.environment,
    client: id,
    account: cloud.account,
    region: cloud.region,
    roleArn,
    externalId,
    queueUrl,
    buckets: {
      control: cloud.bucket("control"),
      public: cloud.bucket("public"),
      artefacts: cloud.bucket("artefacts"),
      registry: cloud.bucket("registry"),
    },
  });
}
