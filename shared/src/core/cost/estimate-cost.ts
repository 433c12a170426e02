import { type Accelerator, acceleratorOf } from "./accelerators.ts";
import { countRun, STEP_FUNCTIONS_LIMITS } from "./machine-states.ts";
import { largestPayloadBytes } from "./payload.ts";
import { hourlyDollars, UNIT_PRICES } from "./prices.ts";
import { machineSizeOf, type PartySize, partiesOf, type RunSize, roundsOf } from "./run-size.ts";
import { type StageRequests, stageRequests } from "./stage-requests.ts";
import { processSeconds, WORKER_ASSUMPTIONS, type WorkerJob, workerJobs } from "./worker-time.ts";

const GIGABYTE = 1e9;
const SECONDS_PER_HOUR = 3600;
const HOURS_PER_MONTH = 730;

/** What is not counted but assumed, beside WORKER_ASSUMPTIONS and the spot share. */
export const SERVICE_ASSUMPTIONS = {
  /** a function's time: so much to start and read the plan, and then by the bytes that it reads and writes */
  functionSeconds: 1,
  functionBytesPerSecond: 20e6,
  /** map-vocabulary, for each pair of a source and a target token */
  mapSecondsPerPair: 1e-8,
  /** S3 asks KMS once for so many requests: buckets have keys of their own */
  requestsPerKmsRequest: 100,
  /** a shard's message: sent, received, deleted */
  requestsPerMessage: 3,
  /** a site's worker hides its message anew three times in its two minutes */
  extensionsPerHour: 90,
  bytesPerStateEvent: 500,
  bytesPerInvocation: 2_000,
  /** a worker's progress is thinned out to five lines a second */
  workerBytesPerSecond: 5 * 350,
  /** a GPU machine's volume */
  volumeGigabytes: 100,
  /** what a run wrote is kept so long */
  storedMonths: 1,
} as const;

/** Megabytes of each function: what its seconds are billed by. A test holds them to the template. */
export const FUNCTION_MEGABYTES: Readonly<Record<string, number>> = {
  "plan-run": 3008,
  "map-vocabulary": 3008,
  "align-shard": 3008,
  "select-knowledge": 1769,
  "average-adapters": 3008,
  "close-round": 1769,
  "publish-run": 3008,
};

export interface CostOptions {
  instanceType: string;
  spot: boolean;
  /** hours of machines, measured or known otherwise; null: reckoned from tokens and parameters */
  machineHours: number | null;
}

export interface CostLine {
  service: string;
  /** what is billed, in words */
  quantity: string;
  dollars: number;
}

export interface CostEstimate {
  states: { transitions: number; events: number; longestHistory: number; payloadBytes: number };
  requests: StageRequests[];
  lambda: { invocations: number; gigabyteSeconds: number };
  sqsRequests: number;
  kmsRequests: number;
  logBytes: number;
  workers: { jobs: number; flops: number; paidHours: number; siteHours: number };
  lines: CostLine[];
  dollars: number;
  /** what the run's budget would count after each round, its variants' too: the time of the coordinator's worker processes */
  budgetAfterRound: number[];
}

/** What a run would cost, if nothing fails: counts are exact where the machine and the stages determine them, else assumed. */
export function estimateCost(size: RunSize, options: CostOptions): CostEstimate {
  const accelerator = acceleratorOf(options.instanceType);
  const counted = countRun(machineSizeOf(size));
  const requests = stageRequests(size);
  const lambda = lambdaWork(size, requests);
  const total = (name: "reads" | "writes" | "bytesRead" | "bytesWritten") =>
    requests.reduce((sum, row) => sum + row[name], 0);
  const workers = workerWork(size, accelerator, options);
  const assumed = SERVICE_ASSUMPTIONS;
  const messages =
    machineSizeOf(size).rounds.reduce((sum, { toServer, toClients }) => sum + toServer + toClients, 0) +
    workers.siteJobs;
  const sqsRequests = Math.ceil(messages * assumed.requestsPerMessage + workers.siteHours * assumed.extensionsPerHour);
  const kmsRequests = Math.ceil((total("reads") + total("writes") + sqsRequests) / assumed.requestsPerKmsRequest);
  const logBytes =
    counted.events * assumed.bytesPerStateEvent +
    lambda.invocations * assumed.bytesPerInvocation +
    workers.paidHours * SECONDS_PER_HOUR * assumed.workerBytesPerSecond;
  const siteBytes = bytesToSites(size, requests);
  const storedGigabytes = total("bytesWritten") / GIGABYTE;
  const machines = accelerator.gpus === 0 ? "Fargate" : "EC2";
  const price = UNIT_PRICES;
  const lines: CostLine[] = [
    line(
      machines,
      `${workers.paidHours.toFixed(2)} h of ${options.instanceType}, ${options.spot ? "spot" : "on demand"}`,
      workers.paidHours * hourlyDollars(options.instanceType, options.spot),
    ),
    ...(accelerator.gpus === 0
      ? []
      : [
          line(
            "EBS",
            `${assumed.volumeGigabytes} GB for those hours`,
            (workers.paidHours / HOURS_PER_MONTH) * assumed.volumeGigabytes * price.ebsGigabyteMonth,
          ),
        ]),
    line("Public IPv4", "an address for those hours", workers.paidHours * price.publicIpv4Hour),
    line("Step Functions", `${counted.transitions} state transitions`, counted.transitions * price.stateTransition),
    line(
      "Lambda",
      `${lambda.invocations} invocations, ${Math.round(lambda.gigabyteSeconds)} GB-seconds`,
      lambda.invocations * price.lambdaInvocation + lambda.gigabyteSeconds * price.lambdaGigabyteSecond,
    ),
    line(
      "S3 requests",
      `${total("writes")} writes, ${total("reads")} reads`,
      total("writes") * price.s3Write + total("reads") * price.s3Read,
    ),
    line(
      "S3 storage",
      `${storedGigabytes.toFixed(2)} GB for ${assumed.storedMonths} month`,
      storedGigabytes * assumed.storedMonths * price.s3GigabyteMonth,
    ),
    line("SQS", `${sqsRequests} requests`, sqsRequests * price.sqsRequest),
    line("KMS", `${kmsRequests} requests`, kmsRequests * price.kmsRequest),
    line("CloudWatch Logs", `${(logBytes / 1e6).toFixed(1)} MB`, (logBytes / GIGABYTE) * price.logGigabyte),
    line("X-Ray", `${lambda.invocations} traces at most`, lambda.invocations * price.trace),
    ...(siteBytes === 0
      ? []
      : [
          line(
            "Data transfer",
            `${(siteBytes / GIGABYTE).toFixed(2)} GB to sites' own workers`,
            (siteBytes / GIGABYTE) * price.internetGigabyte,
          ),
        ]),
  ];
  const { jobs, flops, paidHours, siteHours, budgetAfterRound } = workers;
  return {
    states: { ...counted, payloadBytes: largestPayloadBytes(size) },
    requests,
    lambda,
    sqsRequests,
    kmsRequests,
    logBytes,
    workers: { jobs, flops, paidHours, siteHours },
    lines,
    dollars: lines.reduce((sum, { dollars }) => sum + dollars, 0),
    budgetAfterRound,
  };
}

/** The round after which the budget ends the run, variants' rounds counted on after its own; null where the run ends by itself before. */
export function roundOfBudgetStop({ budgetAfterRound }: CostEstimate, budgetDollars: number): number | null {
  const round = budgetAfterRound.findIndex((dollars) => dollars >= budgetDollars) + 1;
  return round === 0 || round === budgetAfterRound.length ? null : round;
}

/** Share of a limit of Step Functions that a run takes. */
export function limitShares({ states }: CostEstimate): { history: number; payload: number } {
  return {
    history: states.longestHistory / STEP_FUNCTIONS_LIMITS.events,
    payload: states.payloadBytes / STEP_FUNCTIONS_LIMITS.payloadBytes,
  };
}

function line(service: string, quantity: string, dollars: number): CostLine {
  return { service, quantity, dollars };
}

function lambdaWork(size: RunSize, requests: readonly StageRequests[]): CostEstimate["lambda"] {
  const { functionSeconds, functionBytesPerSecond, mapSecondsPerPair } = SERVICE_ASSUMPTIONS;
  let invocations = 0;
  let gigabyteSeconds = 0;
  for (const { stage, runs, bytesRead, bytesWritten } of requests) {
    const megabytes = FUNCTION_MEGABYTES[stage];
    if (megabytes === undefined) continue;
    const pairs = Math.max(...size.clients.map((client) => client.vocabularySize)) * size.server.vocabularySize;
    const seconds =
      runs * functionSeconds +
      (bytesRead + bytesWritten) / functionBytesPerSecond +
      (stage === "map-vocabulary" ? runs * pairs * mapSecondsPerPair : 0);
    invocations += runs;
    gigabyteSeconds += (seconds * megabytes) / 1024;
  }
  return { invocations, gigabyteSeconds };
}

interface WorkerWork {
  jobs: number;
  siteJobs: number;
  flops: number;
  paidHours: number;
  siteHours: number;
  budgetAfterRound: number[];
}

function workerWork(size: RunSize, accelerator: Accelerator, options: CostOptions): WorkerWork {
  const parties = new Map(partiesOf(size).map((party): [string, PartySize] => [party.id, party]));
  const jobs = workerJobs(size);
  const secondsOf = (job: WorkerJob) => processSeconds(job, parties.get(job.party)!, accelerator);
  const paid = jobs.filter(({ party }) => parties.get(party)!.compute === "ecs");
  const atSites = jobs.filter(({ party }) => parties.get(party)!.compute === "worker");
  const hours = (list: readonly WorkerJob[], startSeconds: number) =>
    list.reduce((sum, job) => sum + secondsOf(job) + startSeconds, 0) / SECONDS_PER_HOUR;
  const reckoned = hours(paid, WORKER_ASSUMPTIONS.startSeconds);
  const scale = options.machineHours === null || reckoned === 0 ? 1 : options.machineHours / reckoned;
  const hourly = hourlyDollars(options.instanceType, options.spot);
  // round by round in the machine's order, baselines first: a long run has too many jobs to go through all of them for each round
  const nameOf = ({ variant, round }: Pick<WorkerJob, "variant" | "round">) => `${variant} ${round}`;
  const secondsIn = new Map<string, number>();
  for (const job of paid) secondsIn.set(nameOf(job), (secondsIn.get(nameOf(job)) ?? 0) + secondsOf(job));
  let seconds = secondsIn.get(nameOf({ variant: null, round: 0 })) ?? 0;
  const budgetAfterRound = roundsOf(size).map((round) => {
    seconds += secondsIn.get(nameOf(round)) ?? 0;
    return (seconds / SECONDS_PER_HOUR) * scale * hourly;
  });
  return {
    jobs: jobs.length,
    siteJobs: atSites.length,
    flops: jobs.reduce((sum, job) => sum + job.flops, 0),
    paidHours: options.machineHours ?? reckoned,
    siteHours: hours(atSites, 0),
    budgetAfterRound,
  };
}

/** What sites' own workers read from S3 leaves AWS: their part of what all parties' workers read. */
function bytesToSites(size: RunSize, requests: readonly StageRequests[]): number {
  const sites = size.clients.filter(({ compute }) => compute === "worker").length;
  const read = (stage: string) => requests.find((row) => row.stage === stage)!.bytesRead;
  const share = sites / size.clients.length;
  const scored = roundsOf(size).reduce((sum, { parties }) => sum + parties.length, 0);
  const scoredClients = roundsOf(size).reduce((sum, { clients }) => sum + clients.length, 0);
  const evaluated = read("evaluate") * (scoredClients / scored);
  const baselines = size.baselines.filter(({ party }) => party !== size.server.id).length;
  const ofBaselines = size.baselines.length === 0 ? 0 : read("run-baseline") * (baselines / size.baselines.length);
  return share * (read("client-train") + read("client-distil") + evaluated + ofBaselines);
}
