import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BucketName, deploymentNames } from "../../../shared/src/contracts/deployment.ts";
import { assumeRole } from "./assume-role.ts";
import type { StackOutputs } from "./cdk.ts";
import { type Emulator, environmentOf } from "./emulator.ts";
import type { Client, FourClients } from "./four-clients.ts";
import { startGuarded } from "./guarded-process.ts";
import type { Site } from "./site.ts";

const PROGRAM = fileURLToPath(new URL("../../../gpu-workers/src/queue-entry.ts", import.meta.url));

/** A worker on a site's own machine: its data folder, short-lived credentials of the site's role, and nothing else. */
export interface EdgeWorker {
  client: string;
  /** where its private data are */
  data: string;
  isRunning(): boolean;
  output(): string;
  /** as the site's owner would: SIGTERM */
  stop(): Promise<void>;
}

export async function startEdgeWorker(
  emulator: Emulator,
  site: Site,
  options: {
    folder: string;
    federation: FourClients;
    outputs: StackOutputs;
    names: ReturnType<typeof deploymentNames>;
    bucket(name: BucketName): string;
  },
): Promise<EdgeWorker> {
  const { folder, federation, names, bucket } = options;
  const { client } = site;
  const data = join(folder, "data");
  const home = join(folder, "home");
  for (const made of [data, home]) mkdirSync(made, { recursive: true });
  copyFileSync(federation.here.privateSet(client as Client), join(data, "private.jsonl"));
  const credentials = emulator.enforcesPolicies ? await assumeRole(site.aws, site.workerRoleArn) : site.emulator.owner;
  const outputs = options.outputs[names.clientStack(client)];
  const program = startGuarded(process.execPath, [PROGRAM], {
    folder: home,
    log: join(folder, "worker.log"),
    environment: {
      ...environmentOf(emulator, credentials, home),
      FEDMKT_CONTROL_BUCKET: bucket("control"),
      FEDMKT_ARTEFACT_BUCKET: bucket("artefacts"),
      FEDMKT_REGISTRY_BUCKET: bucket("registry"),
      FEDMKT_DATA_FOLDER: data,
      FEDMKT_PARTY: client,
      FEDMKT_JOB_QUEUE_URL: outputs.JobQueueUrl,
      FEDMKT_PARTY_ROLE_ARN: outputs.PartyRoleArn,
      FEDMKT_EXTERNAL_ID: site.externalId,
    },
  });
  return { client, data, isRunning: program.isRunning, output: program.output, stop: program.stop };
}
