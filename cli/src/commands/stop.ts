import { encodeJson } from "@fedmkt/shared/contracts/json-document.ts";
import { controlKeys } from "@fedmkt/shared/contracts/keys.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { ENVIRONMENT_ARGUMENT, openDeployment, readName } from "../cloud/environment-argument.ts";
import { requireRun, runningRounds } from "../cloud/read-run.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";

export const command: Command = {
  meta: { name: "stop", description: "end a run in the cloud, at once or after its round; it can be resumed" },
  args: {
    run: { type: "positional", required: true, description: "the run's name" },
    ...ENVIRONMENT_ARGUMENT,
    "after-round": { type: "boolean", description: "let the round under way end, and publish what there is then" },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt stop my-run", "fedmkt stop my-run --after-round"],
  async run(context): Promise<Outcome> {
    const run = readName("stop", "RUN", context.args.run as string);
    const cloud = await openDeployment(context);
    const { standing, execution } = await requireRun(cloud, run);
    if (standing !== "running")
      throw new InvalidInputError("RUN_NOT_RUNNING", `run ${run}: expected a run that goes on, it is ${standing}`);
    if (context.args["after-round"] === true) {
      await cloud.objects.put(cloud.bucket("control"), controlKeys.stop(run), encodeJson({ run, after: "round" }));
      return {
        data: { run, stopped: "after-round" },
        text: `run ${run} ends after the round that is under way, and publishes what it has then`,
      };
    }
    // the run first, so that it does not begin another round; its rounds do not end with it
    const rounds = await runningRounds(cloud, run);
    for (const id of [execution!, ...rounds]) await cloud.machines.stop(id, "Stopped", "stopped by fedmkt stop");
    return {
      data: { run, stopped: "now", executions: [execution, ...rounds] },
      text: `run ${run} is stopped; fedmkt resume ${run} --environment ${cloud.environment} goes on where it was`,
    };
  },
};
