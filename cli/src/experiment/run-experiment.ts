import type { RunState } from "@fedmkt/shared/contracts/run-state.ts";
import { writePath } from "@fedmkt/shared/contracts/spec-mistake.ts";
import type { RunSummary } from "@fedmkt/shared/contracts/summary.ts";
import type { Dependencies } from "../dependencies.ts";
import { describeFailure, type Failure } from "../failure.ts";
import type { Io } from "../io.ts";
import { prepareRunFolder } from "../prepare-run-folder.ts";
import { readRunState, readRunSummary } from "../run-folder.ts";
import { runHere } from "../run-here.ts";
import type { ExperimentFolder } from "./experiment-folder.ts";
import type { PlannedRun } from "./plan-runs.ts";

/** How a planned run stands. */
export interface EndedRun {
  run: PlannedRun;
  /** what it published; null where it failed */
  summary: RunSummary | null;
  failure: Failure | null;
}

export interface RunExperiment {
  runs: readonly PlannedRun[];
  folder: ExperimentFolder;
  /** runs at once */
  concurrency: number;
  /** jobs of one run at once */
  concurrentTasks: number;
  /** whether finished runs keep shards and logs */
  keep: boolean;
  io: Io;
  dependencies: Dependencies;
  onBegin(run: PlannedRun): void;
  /** @param wallTimeMs - since it was begun just now */
  onEnd(ended: EndedRun, wallTimeMs: number): void;
}

/** The runs that are finished already. */
export function finishedRuns(runs: readonly PlannedRun[], folder: ExperimentFolder, keep: boolean): EndedRun[] {
  return runs.flatMap((run) => {
    const place = folder.runFolder(run);
    if (!isFinished(readRunState(place), run)) return [];
    // a start that was killed may have left it
    if (!keep) folder.tidy(place);
    return [{ run, summary: readRunSummary(place), failure: null }];
  });
}

function isFinished(state: RunState | null, { written }: PlannedRun): boolean {
  return state !== null && state.status === "SUCCEEDED" && state.specHash === written.hash;
}

/**
 * Runs what is not finished, each run as `fedmkt run --local` does it, in the order given. A run that fails does not end the others; the
 * signal of `io` does.
 */
export async function runExperiment(options: RunExperiment): Promise<void> {
  const waiting = [...options.runs];
  const worker = async () => {
    for (let run = waiting.shift(); run !== undefined && !options.io.signal.aborted; run = waiting.shift()) {
      options.onBegin(run);
      const beganMs = options.dependencies.clockMs();
      const ended = await runOne(run, options);
      if (ended !== null) options.onEnd(ended, options.dependencies.clockMs() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
}

/** @returns null where it was interrupted */
async function runOne(run: PlannedRun, options: RunExperiment): Promise<EndedRun | null> {
  const { folder, io, dependencies, concurrentTasks, keep } = options;
  const place = folder.runFolder(run);
  const file = { ...run.written, placeOf: (path: readonly PropertyKey[]) => ({ path: writePath(path), line: null }) };
  try {
    const { release } = prepareRunFolder(place, file, false);
    try {
      const { summary } = await runHere({ file, folder: place, concurrentTasks, io: quietly(options), dependencies });
      if (!keep) folder.tidy(place);
      return { run, summary, failure: null };
    } finally {
      release();
    }
  } catch (error) {
    return io.signal.aborted ? null : { run, summary: null, failure: describeFailure(error) };
  }
}

/** A person sees the jobs of a run that goes on alone; of several at once, or in a log, they would be noise. */
function quietly({ io, concurrency }: RunExperiment): Io {
  return concurrency === 1 && io.stderr.isTTY ? io : { ...io, stderr: { write: () => true } };
}
