import type { Cloud, CloudStack } from "./cloud.ts";

/** A client that a deployment knows, by its stack. */
export interface DeployedClient {
  id: string;
  /** CloudFormation's */
  status: string;
  roleArn: string | null;
  queueUrl: string | null;
  /** where its private data lie; null where the client keeps them itself */
  privateBucket: string | null;
  /** who alone may put private data there; null: whom the account's own policies let */
  dataOwner: string | null;
  /** who may take its role at a site of its own; null where nobody does */
  principal: string | null;
  externalId: string | null;
}

/** Every client of a deployment, in order of id. */
export async function listClients({ stacks, names }: Cloud): Promise<DeployedClient[]> {
  const prefix = names.clientStack("");
  return (await stacks.list(prefix)).map((stack) => toClient(stack, stack.name.slice(prefix.length)));
}

/** @returns null where there is none of this id */
export async function findClient({ stacks, names }: Cloud, id: string): Promise<DeployedClient | null> {
  const stack = await stacks.describe(names.clientStack(id));
  return stack === null ? null : toClient(stack, id);
}

function toClient({ status, outputs, parameters }: CloudStack, id: string): DeployedClient {
  const given = (text: string | undefined) => (text === undefined || text === "" ? null : text);
  return {
    id,
    status,
    roleArn: given(outputs.PartyRoleArn),
    queueUrl: given(outputs.JobQueueUrl),
    privateBucket: given(outputs.PrivateBucket),
    dataOwner: given(parameters.DataOwner),
    principal: given(parameters.WorkerPrincipal),
    externalId: given(parameters.ExternalId),
  };
}
