import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { addClient } from "../cloud/add-client.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { YES_ARGUMENT } from "../cloud/confirm.ts";
import { type DeployedClient, listClients } from "../cloud/deployed-clients.ts";
import { ENVIRONMENT_ARGUMENT, openDeployment, readClientName } from "../cloud/environment-argument.ts";
import { removeClient } from "../cloud/remove-client.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";

const ACTIONS = ["add", "list", "remove"];

export const command: Command = {
  meta: { name: "clients", description: "make, list and revoke the clients of a deployment" },
  args: {
    action: { type: "positional", required: true, description: `one of ${ACTIONS.join(", ")}` },
    id: { type: "positional", required: false, description: "the client's id, as specs have it" },
    ...ENVIRONMENT_ARGUMENT,
    principal: {
      type: "string",
      valueHint: "arn",
      description: "add: the role or user that a worker at the site has of its own",
    },
    "external-id": {
      type: "string",
      valueHint: "text|auto",
      description: "add: must be named to take the client's role (default: auto where there is a principal)",
    },
    "host-private-data": {
      type: "enum",
      options: ["yes", "no"],
      description: "add: whether this account holds its private data (default: yes without a principal)",
    },
    "data-owner": {
      type: "string",
      valueHint: "arn",
      description: "add: the only one that may put private data there",
    },
    "delete-private-data": { type: "boolean", description: "remove: delete every version of them" },
    ...YES_ARGUMENT,
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt clients add ward",
    "fedmkt clients add ward --principal arn:aws:iam::111122223333:role/fedmkt-dev-site-ward",
    "fedmkt clients list --environment prod",
    "fedmkt clients remove ward --delete-private-data",
  ],
  async run(context): Promise<Outcome> {
    const { args } = context;
    const action = args.action as string;
    if (!ACTIONS.includes(action))
      throw new InvalidInputError(
        "BAD_ARGUMENT",
        `fedmkt clients: expected ${ACTIONS.join(", ")}, got ${JSON.stringify(action)}`,
      );
    if (action === "list" && args.id !== undefined)
      throw new InvalidInputError(
        "BAD_ARGUMENT",
        `fedmkt clients list: expected no ID, got ${JSON.stringify(args.id)}`,
      );
    if (action === "list") return list(context);
    if (args.id === undefined)
      throw new InvalidInputError("BAD_ARGUMENT", `fedmkt clients ${action}: expected ID (the client's id), got none`);
    const id = readClientName("clients", "ID", args.id as string);
    const cloud = await openDeployment(context);
    return action === "add" ? addClient(context, cloud, id) : removeClient(context, cloud, id);
  },
};

async function list(context: CommandContext): Promise<Outcome> {
  const cloud = await openDeployment(context);
  const clients = await Promise.all(
    (await listClients(cloud)).map(async (client) => ({
      ...client,
      queue: await cloud.queues.count(cloud.names.party(client.id)),
    })),
  );
  return {
    data: clients,
    text:
      clients.length === 0
        ? `no clients in ${cloud.environment}; fedmkt clients add ID makes one`
        : clients.map((client) => describe(client)).join("\n"),
  };
}

function describe(client: DeployedClient & { queue: Awaited<ReturnType<Cloud["queues"]["count"]>> }): string {
  const { id, status, principal, privateBucket, queue } = client;
  return [
    `${id}: ${status}`,
    principal === null ? "no site of its own" : `site ${principal}`,
    privateBucket === null ? "keeps its private data" : `private data in s3://${privateBucket}`,
    queue === null ? "no queue" : `queue: ${queue.waiting} waiting, ${queue.taken} taken`,
  ].join("; ");
}
