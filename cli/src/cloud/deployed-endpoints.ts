import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { Cloud } from "./cloud.ts";

/** S3 delivers notes of accesses late: into a bucket that was emptied a moment ago, and then cannot be deleted. */
const ATTEMPTS = 3;

/** An inference endpoint that a deployment has, by its stack. */
export interface DeployedEndpoint {
  /** `fedmkt-dev-inference`, or with a name of its own behind it */
  stack: string;
  /** CloudFormation's */
  status: string;
  /** the load balancer's; null where there is none, as in an emulator */
  address: string | null;
  accessLogBucket: string | null;
}

/** Every endpoint of a deployment, in order of name. */
export async function listEndpoints({ stacks, names }: Cloud): Promise<DeployedEndpoint[]> {
  const first = names.endpoint();
  return (await stacks.list(first))
    .filter(({ name }) => name === first || name.startsWith(`${first}-`))
    .map(({ name, status, outputs }) => ({
      stack: name,
      status,
      address: outputs.Address ?? null,
      accessLogBucket: outputs.AccessLogBucket ?? null,
    }));
}

/** Takes an endpoint away, with its keys and the notes of who asked. Answers under way have their time to end. */
export async function removeEndpoint(
  { stacks, objects }: Cloud,
  { stack, accessLogBucket }: DeployedEndpoint,
  say: (line: string) => void,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    if (accessLogBucket !== null) await objects.empty(accessLogBucket);
    try {
      await stacks.remove(stack, say);
      return;
    } catch (error) {
      const isStack = error instanceof InvalidInputError && error.code === "STACK_FAILED";
      if (attempt === ATTEMPTS || accessLogBucket === null || !isStack) throw error;
    }
  }
}
