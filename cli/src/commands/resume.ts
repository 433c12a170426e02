import { controlKeys } from "@fedmkt/shared/contracts/keys.ts";
import { readRunSpec } from "@fedmkt/shared/contracts/read-run-spec.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { sha256 } from "@fedmkt/shared/formats/sha256.ts";
import { refuseOtherFolder } from "../cloud/download-cloud-run.ts";
import { ENVIRONMENT_ARGUMENT, openDeployment, readName } from "../cloud/environment-argument.ts";
import { readUploadedSpec, requireRun } from "../cloud/read-run.ts";
import { leftAlone, resultFolder, seeRunThrough } from "../cloud/see-run-through.ts";
import { executionName, startEvent } from "../cloud/start-event.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";

export const command: Command = {
  meta: {
    name: "resume",
    description: "go on with a run in the cloud that failed or was stopped; what is done stays done",
  },
  args: {
    run: { type: "positional", required: true, description: "the run's name" },
    ...ENVIRONMENT_ARGUMENT,
    detach: { type: "boolean", description: "start it and leave it alone" },
    out: { type: "string", valueHint: "folder", description: "where its results go (default: runs/<name>)" },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt resume my-run", "fedmkt resume my-run --environment prod --detach"],
  async run(context): Promise<Outcome> {
    const { args, io, dependencies } = context;
    const run = readName("resume", "RUN", args.run as string);
    const cloud = await openDeployment(context);
    const { standing } = await requireRun(cloud, run);
    if (standing === "running" || standing === "succeeded")
      throw new InvalidInputError(
        "RUN_NOT_RESUMABLE",
        `run ${run}: expected one that failed, was stopped or never began, it is ${standing}`,
      );
    const yaml = await readUploadedSpec(cloud, run);
    if (yaml === null)
      throw new InvalidInputError("RUN_MISSING", `run ${run}: its run.yaml is gone; upload it again with fedmkt run`);
    const spec = readRunSpec(new TextDecoder().decode(yaml), controlKeys.spec(run));
    if (args.detach !== true) refuseOtherFolder(resultFolder(context, run).folder, sha256(yaml));
    const nowMs = dependencies.nowMs();
    await cloud.objects.remove(cloud.bucket("control"), controlKeys.stop(run));
    const execution = await cloud.machines.start(
      cloud.names.runMachine,
      executionName(run, nowMs),
      startEvent(cloud, run, nowMs),
    );
    io.stderr.write(`run ${run} goes on in ${cloud.environment}: ${execution}\n`);
    if (args.detach === true) return leftAlone(cloud, run);
    return seeRunThrough(context, { cloud, run, rounds: spec.rounds, execution, sinceMs: nowMs });
  },
};
