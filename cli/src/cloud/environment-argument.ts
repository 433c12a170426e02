import { ENVIRONMENTS, type EnvironmentName } from "@fedmkt/shared/contracts/deployment.ts";
import { partyName, resourceName } from "@fedmkt/shared/contracts/identifier.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { ArgsDef } from "citty";
import type { CommandContext } from "../command.ts";
import type { Cloud } from "./cloud.ts";

/** Every command that works in a cloud has it. */
export const ENVIRONMENT_ARGUMENT = {
  environment: {
    type: "enum" as const,
    options: [...ENVIRONMENTS],
    description: "which deployment (default: dev)",
  },
} satisfies ArgsDef;

export function readEnvironment({ args }: Pick<CommandContext, "args">): EnvironmentName {
  return (args.environment as EnvironmentName | undefined) ?? "dev";
}

/**
 * The deployment that a command names, once its pipeline is known to be there.
 * @param otherwise - what may have been meant by who has no account
 * @throws InvalidInputError `DEPLOYMENT_MISSING`, and as {@link Cloud} is opened
 */
export async function openDeployment(context: CommandContext, otherwise?: string): Promise<Cloud> {
  try {
    const cloud = await context.dependencies.openCloud(readEnvironment(context));
    await requireDeployment(cloud);
    return cloud;
  } catch (error) {
    if (otherwise === undefined || !(error instanceof InvalidInputError) || !NO_CLOUD.has(error.code)) throw error;
    throw new InvalidInputError(error.code, `${error.message}; ${otherwise}`, { cause: error });
  }
}

/** Whoever gets one of these may want no cloud at all. */
const NO_CLOUD = new Set(["REGION_MISSING", "CREDENTIALS_MISSING"]);

async function requireDeployment({ stacks, names, environment, account, region }: Cloud): Promise<void> {
  const stack = await stacks.describe(names.pipelineStack);
  const where = `account ${account}, region ${region}`;
  if (stack === null)
    throw new InvalidInputError(
      "DEPLOYMENT_MISSING",
      `expected a deployment "${environment}" in ${where}, found none; fedmkt deploy --environment ${environment} first`,
    );
  if (stack.status.startsWith("DELETE_") || stack.status === "ROLLBACK_COMPLETE")
    throw new InvalidInputError(
      "DEPLOYMENT_MISSING",
      `the deployment "${environment}" in ${where} is not in order: ${stack.name} is ${stack.status}; fedmkt deploy --environment ${environment} again`,
    );
}

/** A run's name of the command line. @throws InvalidInputError `BAD_ARGUMENT` */
export function readName(command: string, what: string, text: string, name = resourceName): string {
  const result = name.safeParse(text);
  if (result.success) return result.data;
  throw new InvalidInputError(
    "BAD_ARGUMENT",
    `fedmkt ${command}: ${what}: ${result.error.issues[0].message}, got ${JSON.stringify(text)}`,
  );
}

/** A client's name of the command line. @throws InvalidInputError `BAD_ARGUMENT` */
export function readClientName(command: string, what: string, text: string): string {
  return readName(command, what, text, partyName);
}
