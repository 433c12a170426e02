import { join, relative, resolve } from "node:path";
import type { CommandContext, Outcome } from "../command.ts";
import { describeRun, summariseRun } from "../describe-run.ts";
import { RunFailure } from "../failure.ts";
import { FailureCodes } from "../failure-codes.ts";
import type { Cloud } from "./cloud.ts";
import { downloadCloudRun } from "./download-cloud-run.ts";
import { followRun } from "./follow-run.ts";
import type { CloudRun } from "./read-run.ts";

export interface SeeRunThrough {
  cloud: Cloud;
  run: string;
  rounds: number;
  execution: string | null;
  sinceMs: number;
}

/** The folder that a run's results go to, and as it is shown. */
export function resultFolder({ args, io }: Pick<CommandContext, "args" | "io">, run: string) {
  const folder = resolve(io.cwd, (args.out as string | undefined) ?? join("runs", run));
  const below = relative(io.cwd, folder) || ".";
  return { folder, shown: below.startsWith("..") ? folder : below };
}

/** Follows a run until it has ended, then fetches what it made, as a run on this machine leaves it. */
export async function seeRunThrough(
  context: CommandContext,
  { cloud, run, rounds, execution, sinceMs }: SeeRunThrough,
): Promise<Outcome> {
  const { io, dependencies } = context;
  const codes = new FailureCodes();
  const ended = await followRun({
    cloud,
    run,
    rounds,
    execution,
    sinceMs,
    io,
    onEvent: (event) => codes.take(event),
    now: dependencies.nowMs,
    wait: dependencies.wait,
  });
  if (ended === null) return leftAlone(cloud, run);
  if (ended.standing === "failed") throw failureOf(cloud, ended, codes);
  return fetchResults(context, cloud, ended);
}

/** @throws as {@link downloadCloudRun} */
export async function fetchResults(context: CommandContext, cloud: Cloud, ended: CloudRun): Promise<Outcome> {
  const { folder, shown } = resultFolder(context, ended.run);
  const { summary, state } = await downloadCloudRun(cloud, ended, folder);
  return {
    data: { ...summariseRun(summary, state, folder), environment: cloud.environment, execution: ended.execution },
    text: describeRun(summary, state, shown, context.io.colours),
  };
}

/** What is told where nobody waits for the run's end. */
export function leftAlone({ environment }: Cloud, run: string): Outcome {
  const at = `${run} --environment ${environment}`;
  return {
    data: { run, environment, status: "RUNNING", detached: true },
    text: [
      `run ${run} goes on in the cloud`,
      `  fedmkt status ${at}     how far it is`,
      `  fedmkt logs ${at} -f    what it says`,
      `  fedmkt download ${at}   what it made, once it has ended`,
      `  fedmkt stop ${at}       ends it`,
    ].join("\n"),
  };
}

function failureOf(
  { environment }: Cloud,
  { run, error, cause, execution }: CloudRun,
  codes: FailureCodes,
): RunFailure {
  return new RunFailure({
    name: error ?? "Error",
    code: codes.codeOf(cause ?? "") ?? "RUN_FAILED",
    message: `${cause}\nLogs: fedmkt logs ${run} --environment ${environment}`,
    details: { run, environment, execution },
    exitCode: error === "InvalidInputError" ? 2 : 1,
  });
}
