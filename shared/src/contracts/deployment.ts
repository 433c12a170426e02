/**
 * Names of what a deployment consists of, in one place: the stacks give these names, the machines and the command line use them
 * without asking. A name is all that a coordinator and a site must agree on.
 */

/** The kinds of deployment: `dev` leaves nothing behind when it is destroyed, `prod` keeps what people made. */
export const ENVIRONMENTS = ["dev", "prod"] as const;
export type EnvironmentName = (typeof ENVIRONMENTS)[number];

/** What lies in buckets of its own. Private data lie in a bucket of each client, which CloudFormation names. */
export const BUCKETS = ["control", "public", "artefacts", "registry"] as const;
export type BucketName = (typeof BUCKETS)[number];

/** The workers' image as docs/workers.md builds it: the name that stands where nothing fetches an image, as under an emulator. */
export const WORKER_IMAGE = "fedmkt/gpu-workers:0.1.0";

/** @param environment - whose resources; several environments share an account without meeting */
export function deploymentNames(environment: EnvironmentName) {
  const named = (what: string) => `fedmkt-${environment}-${what}`;
  return {
    stateStack: named("state"),
    pipelineStack: named("pipeline"),
    clientStack: (client: string) => named(`client-${client}`),
    siteStack: (client: string) => named(`site-${client}`),
    /** bucket names are the world's: account and region make them ours */
    bucket: (name: BucketName, account: string, region: string) => `${named(name)}-${account}-${region}`,
    /** of shards that wait for align-shard */
    shardQueue: named("shards"),
    runMachine: named("run"),
    roundMachine: named("round"),
    cluster: named("workers"),
    /** where alarms are told; clients' stacks find it by this name */
    alarmTopic: named("alarms"),
    dashboard: `fedmkt-${environment}`,
    /** a party's role, job queue and task definition family all bear this name */
    party: (party: string) => named(`party-${party}`),
    /** of a party's jobs that no delivery could finish */
    deadJobs: (party: string) => named(`dead-jobs-${party}`),
    /**
     * an inference endpoint: its stack, cluster, service, task definition family and dashboard all bear this name
     * @param name - of one of several; absent: the one that has none
     */
    endpoint: (name?: string) => named(name === undefined ? "inference" : `inference-${name}`),
    endpointLogGroup: (name?: string) =>
      `/fedmkt/${environment}/${name === undefined ? "inference" : `inference-${name}`}`,
    /** the secret with an endpoint's hashed keys */
    endpointKeys: (name?: string) => named(`${name === undefined ? "inference" : `inference-${name}`}-keys`),
    /** the SSM parameter that says which image workers run now */
    workerImageParameter: `/fedmkt/${environment}/worker-image`,
    workerLogGroup: `/fedmkt/${environment}/workers`,
    functionLogGroup: (name: string) => `/fedmkt/${environment}/functions/${name}`,
  };
}
