import type { Compute } from "@fedmkt/shared/contracts/compute.ts";
import { deploymentNames } from "@fedmkt/shared/contracts/deployment.ts";
import { InvariantError } from "@fedmkt/shared/core/errors.ts";
import type { LocalResource, StackCopy } from "./assembly.ts";
import { containerEnvironment } from "./container-environment.ts";
import type { EdgeSite } from "./edge-workers.ts";

/** A client of the run, as far as its stack and its worker go. */
export interface Client {
  id: string;
  compute: Compute;
}

/** The environment that is synthesized where nothing is said. */
const NAMES = deploymentNames("dev");
/** The stack of a client that is given by parameters alone. */
const CLIENT_TEMPLATE = "fedmkt-dev-client";

/** One stack for each client, as `fedmkt clients add` deploys it. */
export function clientCopies(clients: readonly Client[]): StackCopy[] {
  return clients.map(({ id }) => ({
    template: CLIENT_TEMPLATE,
    stack: NAMES.clientStack(id),
    parameters: { Client: id },
  }));
}

/** The sites of those clients that have a worker of their own; what its container would be told, the worker is told. */
export function edgeSites(
  clients: readonly Client[],
  resources: readonly LocalResource[],
  queueUrl: (name: string) => string,
): EdgeSite[] {
  return clients
    .filter(({ compute }) => compute === "worker")
    .map(({ id }) => {
      const name = NAMES.party(id);
      const queue = resources.find((resource) => resource.type === "AWS::SQS::Queue" && resource.name === name);
      if (!queue) throw new InvariantError("QUEUE_MISSING", `client ${id}: the assembly makes no queue ${name}`);
      const redrive = queue.properties.RedrivePolicy as { maxReceiveCount?: number } | undefined;
      return {
        party: id,
        queueName: name,
        queueUrl: queueUrl(name),
        maxReceives: redrive?.maxReceiveCount ?? Number.POSITIVE_INFINITY,
        environment: containerEnvironment(resources, { TaskDefinition: name }),
      };
    });
}
