import { z } from "zod";

/** usage/<party>/<attempt>.json: what one attempt at a job used, for the run's cost. Written however the attempt ended. */
export const usage = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  round: z.int().min(0),
  stage: z.string(),
  party: z.string(),
  /** from the start of the process's work on the job to its end */
  seconds: z.number().min(0),
  /** EC2 instance type or `fargate-4vcpu-16gb`; null where the machine is not the coordinator's to pay */
  instanceType: z.string().nullable(),
  /** whether the machine was a spot instance */
  spot: z.boolean(),
});
export type Usage = z.infer<typeof usage>;
