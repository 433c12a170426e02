import { z } from "zod";
import { STAGES, type WorkerStageName } from "./stages.ts";

const workerStages = Object.keys(STAGES).filter(
  (name) => STAGES[name as keyof typeof STAGES].host === "worker",
) as WorkerStageName[];

/** A worker's job as the machine sends it (container environment `FEDMKT_JOB`, or a queue message). */
export const job = z.discriminatedUnion(
  "stage",
  workerStages.map((stage) => (STAGES[stage].input as z.ZodObject).extend({ stage: z.literal(stage) })) as unknown as [
    z.ZodObject<{ stage: z.ZodLiteral<WorkerStageName> }>,
  ],
);

export type WorkerJob = {
  [S in WorkerStageName]: { stage: S } & z.infer<(typeof STAGES)[S]["input"]>;
}[WorkerStageName];

/** A message in a party's job queue: the job and the token of the waiting task. */
export const jobMessage = z.strictObject({ taskToken: z.string().min(1).max(2048), job });

/** What a message must have for anybody to be told that the rest of it is wrong. */
export const answerableMessage = jobMessage.pick({ taskToken: true }).loose();

/** An `align-shard` message in the shard queue: the stage's input and the token of the waiting task. */
export const alignShardMessage = STAGES["align-shard"].input.extend({ taskToken: z.string().min(1).max(2048) });
export type AlignShardMessage = z.infer<typeof alignShardMessage>;
