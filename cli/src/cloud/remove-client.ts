import { artefactKeys } from "@fedmkt/shared/contracts/keys.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { CommandContext, Outcome } from "../command.ts";
import type { Cloud } from "./cloud.ts";
import { confirm } from "./confirm.ts";
import { type DeployedClient, findClient } from "./deployed-clients.ts";
import { readPlan } from "./read-run.ts";
import { runsUnderWay } from "./runs-under-way.ts";

/**
 * Revokes a client: its role goes, and with it every session that was taken with it, its queue, its task definition. What it taught
 * others stays where it is.
 * @throws InvalidInputError `CLIENT_MISSING`, `CLIENT_IN_USE` (a run goes on with it), `PRIVATE_DATA` (it has some, and nobody said that
 *   they may go)
 */
export async function removeClient(context: CommandContext, cloud: Cloud, id: string): Promise<Outcome> {
  const { args, io } = context;
  const client = await findClient(cloud, id);
  if (client === null)
    throw new InvalidInputError(
      "CLIENT_MISSING",
      `${cloud.environment}: expected a client ${id}, there is no stack ${cloud.names.clientStack(id)}`,
    );
  await refuseInUse(cloud, id);
  const deletesData = args["delete-private-data"] === true;
  const keepsBucket = cloud.environment === "prod";
  if (!deletesData && !keepsBucket) await refusePrivateData(cloud, client);
  const fate = describeData(client, deletesData, keepsBucket);
  io.stderr.write(
    [
      `removing client ${id} deletes its role, job queue and task definition; whoever has taken the role loses it at once`,
      ...(fate === null ? [] : [fate]),
      `what it taught stays: ${artefactKeys.run("<run>")}parties/${id}/ in s3://${cloud.bucket("artefacts")}, and its published adapters`,
      "",
    ].join("\n"),
  );
  await confirm(context, `Remove client ${id}?`);
  const deleted = deletesData && client.privateBucket !== null ? await cloud.objects.empty(client.privateBucket) : 0;
  await cloud.stacks.remove(cloud.names.clientStack(id), (line) => io.stderr.write(`${line}\n`));
  return {
    data: { id, removed: true, deletedObjects: deleted, keptBucket: keepsBucket ? client.privateBucket : null },
    text: `client ${id} is removed${deleted > 0 ? `, and ${deleted} versions of its private data` : ""}`,
  };
}

async function refuseInUse(cloud: Cloud, id: string): Promise<void> {
  for (const run of await runsUnderWay(cloud)) {
    const plan = await readPlan(cloud, run);
    if (plan === null || !plan.spec.clients.some((client) => client.id === id)) continue;
    throw new InvalidInputError(
      "CLIENT_IN_USE",
      `run ${run} goes on with client ${id}; let it end, or fedmkt stop ${run} --environment ${cloud.environment}`,
    );
  }
}

async function refusePrivateData(cloud: Cloud, { id, privateBucket }: DeployedClient): Promise<void> {
  if (privateBucket === null) return;
  const keys = await cloud.objects.list(privateBucket, "");
  if (keys.length === 0) return;
  throw new InvalidInputError(
    "PRIVATE_DATA",
    `s3://${privateBucket} holds private data of client ${id}, and goes with it; --delete-private-data deletes them`,
  );
}

function describeData({ privateBucket }: DeployedClient, deletes: boolean, keepsBucket: boolean): string | null {
  if (privateBucket === null) return null;
  const bucket = keepsBucket ? "the bucket stays" : "the bucket goes";
  return `private data in s3://${privateBucket}: ${deletes ? `every version is deleted; ${bucket}` : keepsBucket ? "they stay, with their key, and no role reads them any more" : "there are none; the bucket goes"}`;
}
