import { artefactKeys, controlKeys } from "@fedmkt/shared/contracts/keys.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { ENVIRONMENT_ARGUMENT, openDeployment } from "../cloud/environment-argument.ts";
import { type CloudRun, readCloudRun, standingWord } from "../cloud/read-run.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { describeLocalRuns } from "../local-runs.ts";

/** Each run takes a few small requests. */
const RUNS_AT_ONCE = 8;

export const command: Command = {
  meta: { name: "list", description: "which runs there are, on this machine or in a deployment" },
  args: {
    environment: { ...ENVIRONMENT_ARGUMENT.environment, description: "a deployment's runs (default: those in runs/)" },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt list", "fedmkt list --environment dev", "fedmkt list --environment prod --json"],
  async run(context): Promise<Outcome> {
    if (context.args.environment !== undefined) return listRuns(context);
    const runs = describeLocalRuns(context.io.cwd);
    return {
      data: runs.map(({ data }) => data),
      text:
        runs.length === 0
          ? "no runs in runs/; --environment dev lists a deployment's"
          : runs.map(({ text }) => text.split("\n")[0]).join("\n"),
    };
  },
};

/** The runs of a deployment, youngest first. */
export async function listRuns(context: CommandContext): Promise<Outcome> {
  const cloud = await openDeployment(context);
  const names = await runNames(cloud);
  const runs: CloudRun[] = [];
  for (let index = 0; index < names.length; index += RUNS_AT_ONCE) {
    const found = await Promise.all(names.slice(index, index + RUNS_AT_ONCE).map((run) => readCloudRun(cloud, run)));
    runs.push(...found.filter((run) => run !== null));
  }
  runs.sort((left, right) => (right.startedMs ?? 0) - (left.startedMs ?? 0));
  return {
    data: runs,
    text: runs.length === 0 ? `no runs in ${cloud.environment}` : runs.map(describe).join("\n"),
  };
}

async function runNames({ objects, bucket }: Cloud): Promise<string[]> {
  const keys = await objects.list(bucket("control"), artefactKeys.run("").replace(/\/$/, ""));
  return keys.map((key) => key.split("/")[1]).filter((run, index) => keys[index] === controlKeys.spec(run));
}

function describe(found: CloudRun): string {
  const { run, startedMs, error } = found;
  const word = standingWord(found);
  const began =
    startedMs === null ? "" : `, began ${new Date(startedMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return `${run}: ${word}${began}${error === null || word === "stopped" ? "" : `, ${error}`}`;
}
