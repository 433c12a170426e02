import { z } from "zod";

/**
 * Every environment variable of ours that a function or a worker reads. CDK sets exactly these. The AWS SDK reads its own
 * beside them: region, credentials and, on one machine, `AWS_ENDPOINT_URL`, which adapters/aws looks at too (S3 by path).
 */
export const environment = z.object({
  /** holds runs/<run>/run.yaml, plan.json, the sets that plan-run cut, status.json; models and data below material/ */
  FEDMKT_CONTROL_BUCKET: z.string().min(3),
  /** holds knowledge, adapters, metrics, vocabulary maps and what is published */
  FEDMKT_ARTEFACT_BUCKET: z.string().min(3),
  /** "true" where models and data may be read from this machine's disk (local runs, edge workers), never in Lambda */
  FEDMKT_LOCAL_FILES: z.enum(["true", "false"]).default("false"),
});
export type Environment = z.infer<typeof environment>;
export type EnvironmentName = keyof Environment;

/** What a worker's task gets in addition: one job and the token of the state that waits for it. */
export const taskEnvironment = environment.extend({
  FEDMKT_JOB: z.string().min(2).max(8192),
  FEDMKT_TASK_TOKEN: z.string().min(1).max(2048),
  FEDMKT_HEARTBEAT_SECONDS: z.coerce.number().int().min(1).default(30),
});
export type TaskEnvironment = z.infer<typeof taskEnvironment>;
