import { z } from "zod";
import { partyName } from "./identifier.ts";

/**
 * Every environment variable of ours that a function or a worker reads. CDK sets exactly these. The AWS SDK reads its own
 * beside them: region, credentials and, on one machine, `AWS_ENDPOINT_URL`, which adapters/aws looks at too (S3 by path). The
 * inference endpoint has its own: serving-environment.ts.
 */
export const environment = z.object({
  /** holds runs/<run>/run.yaml, plan.json, the sets that plan-run cut, status.json; models and data below material/ */
  FEDMKT_CONTROL_BUCKET: z.string().min(3),
  /** holds knowledge, adapters, metrics, vocabulary maps and what is published */
  FEDMKT_ARTEFACT_BUCKET: z.string().min(3),
  /** holds which adapters were published, for whoever serves them */
  FEDMKT_REGISTRY_BUCKET: z.string().min(3),
  /** "true" where models and data may be read from anywhere on this machine's disk: local runs, never in a cloud */
  FEDMKT_LOCAL_FILES: z.enum(["true", "false"]).default("false"),
  /** a site's own folder: private data are read below it, and nothing else of the machine */
  FEDMKT_DATA_FOLDER: z.string().min(1).optional(),
});
export type Environment = z.infer<typeof environment>;

/** A timer counts to 24 days; set for longer it would fire at once, again and again. */
const seconds = z.coerce.number().int().min(1).max(604_800);

/** What every worker gets in addition. */
export const workerEnvironment = environment.extend({
  /** the state gives up after this long without a heartbeat */
  FEDMKT_HEARTBEAT_SECONDS: seconds.default(30),
  /** how often training is written down, so that another worker can go on */
  FEDMKT_CHECKPOINT_SECONDS: seconds.default(300),
  /** what the engine computes on */
  FEDMKT_DEVICE: z.enum(["cpu", "cuda"]).default("cpu"),
  /** command of another trainer that takes the engine's place (docs/trainers.md), its words parted by blanks; absent: the engine */
  FEDMKT_TRAINER: z
    .string()
    .trim()
    .min(1)
    .max(4096)
    .transform((command) => command.split(/\s+/))
    .optional(),
  /** what the machine costs by: an EC2 instance type or `fargate-4vcpu-16gb`; absent: nothing */
  FEDMKT_INSTANCE_TYPE: z.string().min(1).optional(),
  /** "true" on a spot machine */
  FEDMKT_SPOT: z.enum(["true", "false"]).default("false"),
});
export type WorkerEnvironment = z.infer<typeof workerEnvironment>;

/** A worker that is started for one job: the job, and the token of the state that waits for it. */
export const taskEnvironment = workerEnvironment.extend({
  FEDMKT_JOB: z.string().min(2).max(8192),
  FEDMKT_TASK_TOKEN: z.string().min(1).max(2048),
});
export type TaskEnvironment = z.infer<typeof taskEnvironment>;

/** A worker that takes one party's jobs from its queue, one after another. */
export const queueWorkerEnvironment = workerEnvironment.extend({
  FEDMKT_JOB_QUEUE_URL: z.url(),
  /** jobs of another party are refused */
  FEDMKT_PARTY: partyName,
  /** the role whose short-lived credentials the worker uses towards the coordinator; absent: its own */
  FEDMKT_PARTY_ROLE_ARN: z.string().startsWith("arn:").optional(),
  /** must be named to take that role, where the coordinator asked for it */
  FEDMKT_EXTERNAL_ID: z.string().min(2).max(1224).optional(),
});
export type QueueWorkerEnvironment = z.infer<typeof queueWorkerEnvironment>;

/** What stop-tasks gets. */
export const clusterEnvironment = z.object({ FEDMKT_CLUSTER: z.string().min(1) });
