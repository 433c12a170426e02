import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BucketName, deploymentNames } from "../../../shared/src/contracts/deployment.ts";
import { type AwsClients, awsClients } from "./aws-clients.ts";
import { cdk, type StackOutputs } from "./cdk.ts";
import { type CommandLine, commandLine } from "./command-line.ts";
import { deployedPlaces, keepsFile, uploadMaterial } from "./deployed-material.ts";
import { type EcsAgent, startEcsAgent } from "./ecs-agent.ts";
import { type EdgeWorker, startEdgeWorker } from "./edge-worker.ts";
import type { Emulator, EmulatorName } from "./emulator.ts";
import { type Client, type FourClients, type Places, SITES, writeFourClients } from "./four-clients.ts";
import { CLIENTS_BY_CDK, deployParameters, ENVIRONMENT, EXTERNAL_ID, letSiteJoin, NAMES } from "./join-site.ts";
import { type RunDriver, runDriver } from "./run-driver.ts";
import { deploySite, type Site } from "./site.ts";
import { startEmulator } from "./start-emulator.ts";

const WORKER = fileURLToPath(new URL("../../../gpu-workers/src/entry.ts", import.meta.url));

/** Twelve digits that no earlier deployment had: an emulator that goes on running may still hold what `prod` keeps. */
const freshAccount = () => String(randomInt(10 ** 11, 10 ** 12));

/** The whole thing deployed: every stack, material in its buckets, an agent for tasks, a worker at each site. */
export interface Cloud {
  emulator: Emulator;
  aws: AwsClients;
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

/** @param runTimeoutMs - the longest that a test waits for a run */
export async function startCloud(name: EmulatorName, runTimeoutMs: number): Promise<Cloud> {
  const folder = mkdtempSync(join(tmpdir(), `fedmkt-${name}-`));
  const stops: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (let last = stops.pop(); last; last = stops.pop()) await last();
  };
  try {
    const emulator = await startEmulator(name, { folder, account: freshAccount() });
    stops.push(() => emulator.stop());
    const aws = awsClients(emulator);
    stops.push(() => aws.close());
    const fedmkt = commandLine(emulator, join(folder, "operator"));
    const program = cdk(emulator, {
      folder,
      context: { environment: ENVIRONMENT, clients: CLIENTS_BY_CDK.join(",") },
    });
    const sites: Site[] = [];
    for (const client of SITES)
      sites.push(await deploySite(emulator, { client, account: freshAccount(), folder: join(folder, client) }));
    stops.push(() =>
      sites.forEach((site) => {
        site.aws.close();
      }),
    );
    await program.bootstrap();
    const outputs = await program.deploy(["--all"], deployParameters(sites));

    const bucket = (which: BucketName) => NAMES.bucket(which, emulator.account, emulator.region);
    const privateBucket = (client: Client) => outputs[NAMES.clientStack(client)].PrivateBucket;
    const federation = writeFourClients(join(folder, "federation"));
    const buckets = { bucket, privateBucket };
    await uploadMaterial(federation, { aws, sites, ...buckets });

    const agent = startEcsAgent({
      emulator,
      aws,
      cluster: NAMES.cluster,
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
          privateSet: keepsFile(site.client) ? federation.here.privateSet(site.client) : null,
          coordinator: await letSiteJoin(site, { emulator, fedmkt, outputs, bucket }),
        }),
      ),
    );
    for (const worker of workers) stops.push(() => worker.stop());
    const runs = runDriver(aws, {
      machineArn: outputs[NAMES.pipelineStack].RunMachine,
      control: bucket("control"),
      timeoutMs: runTimeoutMs,
      told: () => tellWhatWasWritten(emulator, agent, workers),
    });
    return {
      emulator,
      aws,
      fedmkt,
      externalId: EXTERNAL_ID,
      names: NAMES,
      folder,
      outputs,
      federation,
      places: deployedPlaces({ sites, ...buckets }),
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

/** The last lines of everything, for a test that waited in vain. */
function tellWhatWasWritten(emulator: Emulator, agent: EcsAgent, workers: readonly EdgeWorker[]): string {
  const last = (what: string, text: string, characters: number) => `--- ${what}\n${text.slice(-characters)}`;
  return [
    last(emulator.name, emulator.output(), 4000),
    ...agent.started().map(({ family, process }) => last(family, process.output(), 600)),
    ...workers.map(({ client, output }) => last(`worker ${client}`, output(), 2000)),
  ].join("\n");
}
