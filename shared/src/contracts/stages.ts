import { z } from "zod";
import { COMPUTES } from "./compute.ts";
import { identifier, partyName, resourceName, runId } from "./identifier.ts";
import { VARIANTS } from "./variants.ts";

/**
 * The one table of stages. The state machines, the functions, the workers, the events and the documentation are all
 * checked against it for completeness; a stage's input is what the machine hands it, its output what the machine keeps.
 * Knowledge, adapters and metrics travel through S3: a stage only ever passes keys, counts and names.
 */

export const partyId = partyName.describe('a client\'s id, or "server"');
const run = runId;
const round = z.int().min(1);
/** ARN of the execution that acts: whoever holds the run's claim may write how the run stands */
const execution = z.string().min(1).max(2048);

/** One party as the machine needs it: who, and where its jobs run. */
export const partyRef = z.strictObject({ id: partyId, compute: z.enum(COMPUTES) });

/** One directed transfer of one shard: whose knowledge is translated for whom. */
export const transferRef = z.strictObject({ source: partyId, target: partyId, shard: z.int().min(0) });

const runRound = z.strictObject({ run, round });
const partyJob = z.strictObject({ run, round, party: partyId });

/** Who takes part in a round, and what is transferred in it. */
export const roundMembers = z.strictObject({
  clients: z.array(partyRef).min(1),
  /** whoever learns in it, and is scored after it */
  parties: z.array(partyRef).min(1),
  /** shards that are translated for the server, and for clients from the server's: short, since a round's state holds them twice */
  toServer: z.array(transferRef.pick({ source: true, shard: true })),
  toClients: z.array(transferRef.pick({ target: true, shard: true })),
});

/** All that the round machine needs to know of one round, of a run or of a variant of it. */
export const plannedRound = z.strictObject({
  run,
  round,
  direction: z.enum(["both", "to-clients", "none"]),
  aggregation: z.enum(["none", "fedavg"]),
  /** a variant's first round: its clients' training and the server's extraction are those of the run's own */
  begun: z.boolean(),
  members: roundMembers,
});

/** What `plan-run` tells the run machine: small, whatever the size of the federation's data. */
export const plannedRun = z.strictObject({
  run: resourceName,
  maps: z.array(z.strictObject({ source: partyId, target: partyId })),
  baselines: z.array(z.strictObject({ party: partyId, compute: z.enum(COMPUTES), baseline: identifier })),
  /** in the order in which they follow the run's own rounds */
  variants: z.array(z.enum(VARIANTS)),
  /** the run's first; close-round tells of each next one */
  first: plannedRound,
});

const jobDone = z.strictObject({ manifest: z.string() });

export const STAGES = {
  "plan-run": {
    host: "lambda",
    does: "takes the run, validates everything the parties share, cuts and hashes the public set, writes plan.json",
    input: z.strictObject({ bucket: z.string(), key: z.string(), execution }),
    /** `taken`: null where this execution holds the run; else the execution that has it, and this one has nothing to do */
    output: z.strictObject({ run, taken: z.string().nullable(), machine: plannedRun.nullable() }),
  },
  "map-vocabulary": {
    host: "lambda",
    does: "maps one tokenizer's vocabulary onto another's (MinED) and parts the target into groups",
    input: z.strictObject({ run, source: partyId, target: partyId }),
    output: z.strictObject({ key: z.string(), computed: z.boolean() }),
  },
  "run-baseline": {
    host: "worker",
    does: "trains and scores one party without any transfer, so that the gain of transfer stands apart",
    input: z.strictObject({ run, party: partyId, baseline: identifier }),
    output: jobDone,
  },
  "client-train": {
    host: "worker",
    does: "fine-tunes the client's adapter on its private set, then extracts knowledge on the public set",
    input: partyJob,
    output: jobDone,
  },
  "server-extract": {
    host: "worker",
    does: "extracts the server model's own knowledge on the public set before the first distillation",
    input: partyJob,
    output: jobDone,
  },
  "align-shard": {
    host: "lambda",
    does: "translates one knowledge shard from the source's vocabulary and positions to the target's",
    input: z.strictObject({ run, round, ...transferRef.shape }),
    output: jobDone,
  },
  "select-knowledge": {
    host: "lambda",
    does: "DualMinCE: per public sample, from whom the target learns, if from anyone",
    input: z.strictObject({ run, round, target: partyId }),
    /** `selected`: of so many public samples, those that the target learns from others */
    output: z.strictObject({ key: z.string(), samples: z.int().min(0), selected: z.int().min(0) }),
  },
  "server-distil": {
    host: "worker",
    does: "trains the server's adapter on λ·CE + (1−λ)·KD over the public set, then extracts knowledge again",
    input: partyJob,
    output: jobDone,
  },
  "client-distil": {
    host: "worker",
    does: "trains a client's adapter on λ·CE + (1−λ)·KD over the public set with the server's knowledge",
    input: partyJob,
    output: jobDone,
  },
  "average-adapters": {
    host: "lambda",
    does: "FedAvg of the round's clients' LoRA weights, by number of private samples; equal models only",
    input: runRound,
    output: jobDone,
  },
  evaluate: {
    host: "worker",
    does: "scores one party on the held-out sets it may see",
    input: partyJob,
    output: jobDone,
  },
  "close-round": {
    host: "lambda",
    does: "gathers the round's metrics and says which round follows, of the run or of a variant, if any does",
    input: runRound,
    /**
     * `next`: the round that follows, of the run or of its next variant; null where none does, which is `done`. `dollars`: what the
     * run's workers have cost so far, by the price table
     */
    output: z.strictObject({
      run,
      round,
      done: z.boolean(),
      dollars: z.number().min(0),
      next: plannedRound.nullable(),
    }),
  },
  "publish-run": {
    host: "lambda",
    does: "publishes the adapters, summary.json and report.html, and registers the adapters",
    input: z.strictObject({ run }),
    output: z.strictObject({ summary: z.string() }),
  },
  "fail-run": {
    host: "lambda",
    does: "writes down why the run failed, for `fedmkt status`",
    /** an execution that never held the run's claim leaves the status of the one that does alone */
    input: z.strictObject({ run, error: z.string(), cause: z.string(), execution }),
    /** `written`: whether this call wrote it down */
    output: z.strictObject({ status: z.string(), written: z.boolean() }),
  },
} as const satisfies Record<string, StageDefinition>;

interface StageDefinition {
  host: "lambda" | "worker";
  does: string;
  input: z.ZodType;
  output: z.ZodType;
}

export type StageName = keyof typeof STAGES;
export type StageInput<S extends StageName> = z.infer<(typeof STAGES)[S]["input"]>;
export type StageOutput<S extends StageName> = z.infer<(typeof STAGES)[S]["output"]>;
export type WorkerStageName = { [S in StageName]: (typeof STAGES)[S]["host"] extends "worker" ? S : never }[StageName];
export type LambdaStageName = Exclude<StageName, WorkerStageName>;
export type PlannedRun = z.infer<typeof plannedRun>;
export type PlannedRound = z.infer<typeof plannedRound>;
export type RoundMembers = z.infer<typeof roundMembers>;

/** The error names that Step Functions retries; everything else fails the state at once. */
export const RETRYABLE_ERRORS = ["TransientError", "States.HeartbeatTimeout", "States.Timeout"] as const;

/** What Lambda's own service reports when it, not the function, had trouble, or when its answer was waited for too long. */
export const RETRYABLE_LAMBDA_ERRORS = [
  "Lambda.ClientExecutionTimeoutException",
  "Lambda.ServiceException",
  "Lambda.AWSLambdaException",
  "Lambda.SdkClientException",
  "Lambda.TooManyRequestsException",
] as const;

/**
 * The same of the services behind the other tasks: throttling, no capacity, a broken connection. `AmazonECS.Unknown` is what Step
 * Functions makes of an answer that lists failures instead of a task, such as Fargate's "Capacity is unavailable at this time"
 * (docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html).
 */
export const RETRYABLE_ECS_ERRORS = [
  "AmazonECS.Unknown",
  "ECS.AmazonECSException",
  "ECS.ServerException",
  "ECS.ThrottlingException",
  "ECS.SdkClientException",
] as const;
export const RETRYABLE_SQS_ERRORS = ["SQS.AmazonSQSException", "SQS.SdkClientException"] as const;
export const RETRYABLE_STEP_FUNCTIONS_ERRORS = [
  "StepFunctions.ExecutionLimitExceeded",
  "StepFunctions.ExecutionLimitExceededException",
  "StepFunctions.AWSStepFunctionsException",
  "StepFunctions.SdkClientException",
] as const;
