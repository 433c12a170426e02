import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  BUCKETS,
  type BucketName,
  deploymentNames,
  type EnvironmentName,
} from "../../../shared/src/contracts/deployment.ts";
import type { SiteFile } from "../../../shared/src/contracts/site-file.ts";
import { type AwsClients, awsClients } from "./aws-clients.ts";
import { putObject } from "./bucket-contents.ts";
import { type Cdk, cdk, type StackOutputs } from "./cdk.ts";
import { type CommandLine, commandLine } from "./command-line.ts";
import { type EcsAgent, startEcsAgent } from "./ecs-agent.ts";
import { type EdgeWorker, startEdgeWorker } from "./edge-worker.ts";
import type { Emulator, EmulatorName } from "./emulator.ts";
import {
  CLIENT_NAMES,
  CLIENTS,
  type Client,
  type FourClients,
  type Places,
  SITES,
  writeFourClients,
} from "./four-clients.ts";
import { type RunDriver, runDriver } from "./run-driver.ts";
import { deploySite, type Site } from "./site.ts";
import { startEmulator } from "./start-emulator.ts";

const WORKER = fileURLToPath(new URL("../../../gpu-workers/src/entry.ts", import.meta.url));

/** An account of each emulator's own, and one a site. */
const ACCOUNT = "111122223333";
const SITE_ACCOUNTS: Record<string, string> = { orchard: "222233334444", quarry: "333344445555" };

/** The whole thing deployed: every stack, material in its buckets, an agent for tasks, a worker at each site. */
export interface Cloud {
  emulator: Emulator;
  aws: AwsClients;
  cdk: Cdk;
  /** the product's own command line */
  fedmkt: CommandLine;
  names: ReturnType<typeof deploymentNames>;
  folder: string;
  outputs: StackOutputs;
  federation: FourClients;
  /** where material lies, for a spec of this cloud */
  places: Places;
  sites: Site[];
  agent: EcsAgent;
  workers: EdgeWorker[];
  runs: RunDriver;
  /** what the site of a client that CDK made names to take the client's role */
  externalId: string;
  bucket(name: BucketName): string;
  /** of a client that the coordinator's account keeps data for */
  privateBucket(client: Client): string;
  /** ends tasks and workers; the stacks stay */
  stopWorkers(): Promise<void>;
  /** ends everything; nothing is left of it, whatever happened */
  stop(): Promise<void>;
}

export const ENVIRONMENT: EnvironmentName = "dev";
export const NAMES = deploymentNames(ENVIRONMENT);

/** One client is made as an operator does, by `fedmkt clients add`; the others come with `cdk deploy --all`. */
const BY_COMMAND: Client = "orchard";
const BY_CDK = CLIENT_NAMES.filter((client) => client !== BY_COMMAND);
const EXTERNAL_ID = "agreed-with-the-site";

/** @param runTimeoutMs - the longest that a test waits for a run */
export async function startCloud(name: EmulatorName, runTimeoutMs: number): Promise<Cloud> {
  const folder = mkdtempSync(join(tmpdir(), `fedmkt-${name}-`));
  const stops: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (let last = stops.pop(); last; last = stops.pop()) await last();
  };
  try {
    const emulator = await startEmulator(name, { folder, account: ACCOUNT });
    stops.push(() => emulator.stop());
    const aws = awsClients(emulator);
    stops.push(() => aws.close());
    const names = NAMES;
    const fedmkt = commandLine(emulator, join(folder, "operator"));
    const program = cdk(emulator, {
      folder,
      context: { environment: ENVIRONMENT, clients: BY_CDK.join(",") },
    });
    const sites: Site[] = [];
    for (const client of SITES)
      sites.push(await deploySite(emulator, { client, account: SITE_ACCOUNTS[client], folder: join(folder, client) }));
    stops.push(() =>
      sites.forEach((site) => {
        site.aws.close();
      }),
    );
    await program.bootstrap();
    const outputs = await program.deploy(["--all"], parametersOf(sites));

    const bucket = (which: BucketName) => names.bucket(which, emulator.account, emulator.region);
    const privateBucket = (client: Client) => outputs[names.clientStack(client)].PrivateBucket;
    const places: Places = {
      model: (party) => `s3://${bucket("control")}/material/${party}/${party}`,
      shared: (what) => `s3://${bucket("public")}/${what}.jsonl`,
      // a site's own file, below its data folder
      privateSet: (client) =>
        CLIENTS[client] === "ecs" ? `s3://${privateBucket(client)}/private.jsonl` : "private.jsonl",
    };
    const federation = writeFourClients(join(folder, "federation"));
    await uploadMaterial(aws, federation, { bucket, privateBucket });

    const agent = startEcsAgent({
      emulator,
      aws,
      cluster: names.cluster,
      program: [process.execPath, WORKER],
      environment: { FEDMKT_DEVICE: "cpu" },
      folder: join(folder, "tasks"),
      concurrentTasks: 2,
    });
    stops.push(() => agent.stop());
    const workers = await Promise.all(
      sites.map(async (site) =>
        startEdgeWorker(site, {
          folder: join(folder, "sites", site.client),
          privateSet: federation.here.privateSet(site.client as Client),
          coordinator:
            site.client === BY_COMMAND ? await addClient(fedmkt, site) : toldBy(emulator, outputs, bucket, site),
        }),
      ),
    );
    for (const worker of workers) stops.push(() => worker.stop());
    const runs = runDriver(aws, {
      machineArn: outputs[names.pipelineStack].RunMachine,
      control: bucket("control"),
      timeoutMs: runTimeoutMs,
      told: () => tellWhatWasWritten(emulator, agent, workers),
    });
    return {
      emulator,
      aws,
      cdk: program,
      fedmkt,
      externalId: EXTERNAL_ID,
      names,
      folder,
      outputs,
      federation,
      places,
      sites,
      agent,
      workers,
      runs,
      bucket,
      privateBucket,
      stop,
      async stopWorkers() {
        await agent.stop();
        await Promise.all(workers.map((worker) => worker.stop()));
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What differs from the defaults: an emulator has no capacity, and a site's worker and data are at the site. */
function parametersOf(sites: readonly Site[]): Record<string, string> {
  const ofSites = sites
    .filter(({ client }) => client !== BY_COMMAND)
    .flatMap(({ client, workerRoleArn }) =>
      Object.entries({ WorkerPrincipal: workerRoleArn, ExternalId: EXTERNAL_ID, HostPrivateData: "no" }).map(
        ([parameter, value]) => [`${NAMES.clientStack(client)}:${parameter}`, value],
      ),
    );
  return { CloudCapacity: "false", ...Object.fromEntries(ofSites) };
}

/** Makes a client as an operator does, without CDK. @returns what the command wrote for the site */
async function addClient(fedmkt: CommandLine, { client, workerRoleArn }: Site): Promise<SiteFile> {
  const { file } = await fedmkt.run<{ file: string }>("clients", "add", client, "--principal", workerRoleArn, "--yes");
  return JSON.parse(readFileSync(file, "utf8"));
}

/** What an operator tells the site of a client that CDK made. */
function toldBy(
  { account, region }: Emulator,
  outputs: StackOutputs,
  bucket: Cloud["bucket"],
  { client }: Site,
): SiteFile {
  const { PartyRoleArn, JobQueueUrl } = outputs[NAMES.clientStack(client)];
  return {
    version: 1,
    environment: ENVIRONMENT,
    client,
    account,
    region,
    roleArn: PartyRoleArn,
    externalId: EXTERNAL_ID,
    queueUrl: JobQueueUrl,
    buckets: Object.fromEntries(BUCKETS.map((name) => [name, bucket(name)])) as SiteFile["buckets"],
  };
}

async function uploadMaterial(
  { s3 }: AwsClients,
  federation: FourClients,
  { bucket, privateBucket }: Pick<Cloud, "bucket" | "privateBucket">,
): Promise<void> {
  for (const party of ["server", ...CLIENT_NAMES] as const)
    for (const [file, bytes] of Object.entries(federation.modelFiles(party)))
      await putObject(s3, bucket("control"), `material/${party}/${party}/${file}`, bytes);
  for (const name of ["public", "held-out"] as const)
    await putObject(s3, bucket("public"), `${name}.jsonl`, federation.shared(name));
  for (const client of CLIENT_NAMES)
    if (CLIENTS[client] === "ecs")
      await putObject(s3, privateBucket(client), "private.jsonl", federation.privateSet(client));
}

/** The last lines of everything, for a test that waited in vain. */
function tellWhatWasWritten(emulator: Emulator, agent: EcsAgent, workers: readonly EdgeWorker[]): string {
  const last = (what: string, text: string, characters: number) => `--- ${what}\n${text.slice(-characters)}`;
  return [
    last(emulator.name, emulator.output(), 4000),
    ...agent.started().map(({ family, process }) => last(family, process.output(), 600)),
    ...workers.map(({ client, output }) => last(`worker ${client}`, output(), 2000)),
  ].join("\n");
}
