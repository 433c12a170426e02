import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { resourceName } from "@fedmkt/shared/contracts/identifier.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { describeCloudRun } from "../cloud/describe-cloud-run.ts";
import { ENVIRONMENT_ARGUMENT, openDeployment, readName } from "../cloud/environment-argument.ts";
import { requireRun } from "../cloud/read-run.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { describeLocalRun, describeLocalRuns } from "../local-runs.ts";
import { RUN_FILES, readRunState } from "../run-folder.ts";
import { listRuns } from "./list.ts";

export const command: Command = {
  meta: { name: "status", description: "how runs stand, how far they are, and why one failed" },
  args: {
    run: {
      type: "positional",
      required: false,
      description: "a run's folder here, or the name of a run in the cloud (default: every run in runs/)",
    },
    environment: {
      ...ENVIRONMENT_ARGUMENT.environment,
      description: "whose run it is (default: dev); without a name, all runs of it",
    },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt status", "fedmkt status runs/quickstart", "fedmkt status my-run --environment dev"],
  async run(context): Promise<Outcome> {
    const { args, io } = context;
    const given = args.run as string | undefined;
    if (given === undefined) {
      if (args.environment !== undefined) return listRuns(context);
      const runs = describeLocalRuns(io.cwd);
      return {
        data: runs.map(({ data }) => data),
        text: runs.length === 0 ? "no runs in runs/" : runs.map(({ text }) => text).join("\n"),
      };
    }
    if (args.environment !== undefined || isRunName(given, io.cwd)) return statusInCloud(context, given);
    const folder = resolve(io.cwd, given);
    const state = readRunState(folder);
    if (state === null)
      throw new InvalidInputError("RUN_MISSING", `${given}: expected a run's folder, there is no ${RUN_FILES.state}`);
    return describeLocalRun(state, folder, given);
  },
};

/** What is there on this machine comes first; a path is never a name. */
function isRunName(given: string, cwd: string): boolean {
  return resourceName.safeParse(given).success && !existsSync(resolve(cwd, given));
}

async function statusInCloud(context: CommandContext, given: string): Promise<Outcome> {
  const run = readName("status", "RUN", given);
  const cloud = await openDeployment(
    context,
    `there is no folder ${given} here, so it was taken for a deployment's run`,
  );
  return describeCloudRun(cloud, await requireRun(cloud, run), context.dependencies.nowMs());
}
