import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { ENVIRONMENT_ARGUMENT, openDeployment, readName } from "../cloud/environment-argument.ts";
import { requireRun } from "../cloud/read-run.ts";
import { fetchResults } from "../cloud/see-run-through.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";

export const command: Command = {
  meta: { name: "download", description: "fetch what a finished run in the cloud made, checked against its hashes" },
  args: {
    run: { type: "positional", required: true, description: "the run's name" },
    ...ENVIRONMENT_ARGUMENT,
    out: { type: "string", valueHint: "folder", description: "where to (default: runs/<name> in the current folder)" },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt download my-run", "fedmkt download my-run --environment prod --out results/my-run"],
  async run(context): Promise<Outcome> {
    const run = readName("download", "RUN", context.args.run as string);
    const cloud = await openDeployment(context);
    const found = await requireRun(cloud, run);
    if (found.standing !== "succeeded")
      throw new InvalidInputError(
        "RUN_UNFINISHED",
        `run ${run}: expected a finished run, it is ${found.standing}; fedmkt status ${run} --environment ${cloud.environment} says more`,
      );
    return fetchResults(context, cloud, found);
  },
};
