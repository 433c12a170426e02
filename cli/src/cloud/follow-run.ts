import type { Io } from "../io.ts";
import type { LocalEvent } from "../local/local-event.ts";
import { showProgress } from "../progress/show-progress.ts";
import type { Cloud } from "./cloud.ts";
import { describeProgress, findProgress } from "./describe-progress.ts";
import { type CloudRun, describeEnd, readCloudRun, readDoneJobs, readPlan } from "./read-run.ts";
import { RunLog } from "./run-log.ts";

/** EventBridge starts an execution within seconds of the upload; after this long something is wrong with the rule. */
const START_MS = 120_000;
const POLL_MS = 3000;
/** Counting what is done lists a run's objects: less often than looking whether it has ended. */
const LOOKS_PER_COUNT = 5;

export interface FollowRun {
  cloud: Cloud;
  run: string;
  rounds: number;
  /** ARN of the execution, where it was started by hand; else whoever holds the run */
  execution: string | null;
  /** log lines since then */
  sinceMs: number;
  io: Pick<Io, "stderr" | "signal">;
  onEvent: (event: LocalEvent) => void;
  /** milliseconds since the epoch */
  now: () => number;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Shows how a run goes until it has ended, as a run on this machine is shown: its jobs' progress, and each stage as it begins.
 * @returns how it ended; null where the signal came first: the run goes on
 */
export async function followRun(options: FollowRun): Promise<CloudRun | null> {
  const { cloud, run, rounds, io, now, wait } = options;
  const log = new RunLog(cloud, run, options.sinceMs);
  const display = showProgress(io, rounds, now);
  const startMs = now();
  let stage = "";
  let warned = false;
  try {
    for (let look = 0; ; look++) {
      if (io.signal.aborted) return null;
      const standing = await lookAt(cloud, run, options.execution);
      for (const { event } of await log.next()) {
        display.take(event);
        options.onEvent(event);
      }
      if (standing.standing === "succeeded" || standing.standing === "failed") return standing;
      if (standing.standing === "waiting" && !warned && now() - startMs > START_MS) {
        warned = true;
        io.stderr.write(`nothing has taken the run for two minutes: is the rule of the deployment switched on?\n`);
      }
      if (standing.standing === "running" && look % LOOKS_PER_COUNT === 0) {
        const line = await tellStage(cloud, run);
        if (line !== null && line !== stage) {
          display.end();
          io.stderr.write(`${line}\n`);
          stage = line;
        }
      }
      await wait(POLL_MS, io.signal);
    }
  } finally {
    display.end();
  }
}

/** An execution that was started by hand counts until another one turns out to have the run. */
async function lookAt(cloud: Cloud, run: string, execution: string | null): Promise<CloudRun> {
  const written = (await readCloudRun(cloud, run))!;
  if (execution === null || written.execution === execution) return written;
  const own = await cloud.machines.describe(execution);
  const { startedMs = null, stoppedMs = null } = own ?? {};
  const common = { run, execution, error: null, cause: null, startedMs, stoppedMs };
  if (own === null || own.status === "RUNNING") return { ...common, standing: "running" };
  // it ended at once, since the run was taken: by whom is written down
  if (own.status === "SUCCEEDED") return written;
  return { ...common, standing: "failed", ...describeEnd(own) };
}

async function tellStage(cloud: Cloud, run: string): Promise<string | null> {
  const plan = await readPlan(cloud, run);
  return plan === null ? null : describeProgress(findProgress(plan, await readDoneJobs(cloud, plan)));
}
