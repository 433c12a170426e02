import { availableParallelism } from "node:os";
import { join, relative, resolve } from "node:path";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { ENVIRONMENT_ARGUMENT } from "../cloud/environment-argument.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import { describeRun, summariseRun } from "../describe-run.ts";
import { prepareRunFolder } from "../prepare-run-folder.ts";
import { readSpecFile } from "../read-spec-file.ts";
import { readRunSummary } from "../run-folder.ts";
import { runHere } from "../run-here.ts";

/** More tasks at once than this is a typing error: each is a process with a model of its own. */
const MAX_CONCURRENCY = 256;

export const command: Command = {
  meta: {
    name: "run",
    description: "run a federation, in a deployment or on this machine; the same again goes on where it stopped",
  },
  args: {
    spec: { type: "positional", required: true, description: "the run's spec, such as examples/quickstart/run.yaml" },
    local: { type: "boolean", description: "on this machine, in processes of its own; no account needed" },
    ...ENVIRONMENT_ARGUMENT,
    upload: { type: "boolean", description: "copy what all parties share to the cloud first; private data never" },
    detach: { type: "boolean", description: "start it in the cloud and leave it alone" },
    out: {
      type: "string",
      valueHint: "folder",
      description: "the run's folder (default: runs/<name> in the current folder)",
    },
    fresh: { type: "boolean", description: "local: delete what an earlier run left in the folder, and begin anew" },
    concurrency: { type: "string", valueHint: "n", description: "local: jobs at once (default: one a processor)" },
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt run run.yaml --environment dev --upload",
    "fedmkt run --local examples/quickstart/run.yaml",
    "fedmkt run --local bench/real-pair.yaml --out /tmp/pair --fresh",
  ],
  async run(context): Promise<Outcome> {
    const { args, io, dependencies } = context;
    refuseOthersOptions(args);
    if (!args.local) return (await import("../cloud/run-in-cloud.ts")).runInCloud(context);
    const concurrentTasks = readConcurrency(args.concurrency as string | undefined);
    const file = readSpecFile(args.spec as string, io, { mayReadS3: false });
    const folder = resolve(io.cwd, (args.out as string | undefined) ?? join("runs", file.spec.name));
    const { finished, release } = prepareRunFolder(folder, file, args.fresh === true);
    const below = relative(io.cwd, folder) || ".";
    const shown = below.startsWith("..") ? folder : below;
    if (finished === null)
      io.stderr.write(
        `run ${file.spec.name}: ${count(file.spec.rounds, "round")}, ${count(file.spec.clients.length, "client")}, in ${shown}\n`,
      );
    else
      io.stderr.write(
        `run ${file.spec.name} is finished already, in ${shown}; nothing is done (--fresh begins anew)\n`,
      );
    try {
      const { state, summary } =
        finished === null
          ? await runHere({ file, folder, concurrentTasks, io, dependencies })
          : { state: finished, summary: readRunSummary(folder) };
      return {
        data: { ...summariseRun(summary, state, folder), reused: finished !== null },
        text: describeRun(summary, state, shown, io.colours),
      };
    } finally {
      release();
    }
  },
};

const CLOUD_OPTIONS = ["environment", "upload", "detach"];
const LOCAL_OPTIONS = ["fresh", "concurrency"];

/** An option that means nothing here was meant for the other kind of run: better not to start the wrong one. */
function refuseOthersOptions(args: CommandContext["args"]): void {
  const [others, expected] = args.local
    ? [CLOUD_OPTIONS, "a deployment; leave out one of it and --local"]
    : [LOCAL_OPTIONS, "--local"];
  const found = others.find((name) => args[name] !== undefined);
  if (found !== undefined) throw new InvalidInputError("BAD_ARGUMENT", `fedmkt run: --${found} goes with ${expected}`);
}

function readConcurrency(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > MAX_CONCURRENCY)
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt run: --concurrency: expected a whole number from 1 to ${MAX_CONCURRENCY}, got ${JSON.stringify(text)}`,
    );
  return value;
}
