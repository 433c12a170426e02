import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { EnvironmentName } from "@fedmkt/shared/contracts/deployment.ts";
import { InvalidInputError, TransientError } from "@fedmkt/shared/core/errors.ts";
import type { CommandContext } from "../command.ts";
import type { Cloud } from "./cloud.ts";

/** Members of the CDK app's context, by name. */
export type CdkContext = Readonly<Record<string, string>>;

/** Runs the unmodified CDK CLI on the project's app, what it writes going to standard error. @throws TransientError `CDK_FAILED` */
export async function runCdk(
  { io, dependencies }: Pick<CommandContext, "io" | "dependencies">,
  checkout: string,
  cloud: Pick<Cloud, "region">,
  args: readonly string[],
): Promise<void> {
  const program = findCdk(checkout);
  // of its own: the CDK refuses a folder that another deploy or destroy is writing
  const output = await mkdtemp(join(tmpdir(), "fedmkt-cdk-out-"));
  const code = await dependencies
    .runProgram({
      command: process.execPath,
      args: [program, ...args, "--output", output],
      cwd: checkout,
      env: {
        AWS_REGION: cloud.region,
        NODE_OPTIONS: "",
        // the app is started as cdk.json says, by the Node that npm installed
        PATH: [join(checkout, "node_modules/.bin"), dirname(process.execPath), io.env.PATH ?? ""].join(delimiter),
      },
      onOutput: (text) => io.stderr.write(text),
      signal: io.signal,
    })
    .finally(() => rm(output, { recursive: true, force: true }));
  if (code !== 0)
    throw new TransientError("CDK_FAILED", `cdk ${args[0]} ended with exit code ${code}; what it said stands above`);
}

/** `--context name=value` for the app. */
export function contextArguments(environment: EnvironmentName, context: CdkContext = {}): string[] {
  return Object.entries({ environment, ...context }).flatMap(([name, value]) => ["--context", `${name}=${value}`]);
}

/** @throws InvalidInputError `CHECKOUT_NEEDED` where npm installed no development tools */
function findCdk(checkout: string): string {
  try {
    const manifest = createRequire(join(checkout, "package.json")).resolve("aws-cdk/package.json");
    return join(dirname(manifest), "bin/cdk");
  } catch (cause) {
    throw new InvalidInputError("CHECKOUT_NEEDED", `${checkout}: expected the aws-cdk package; run npm ci there`, {
      cause,
    });
  }
}
