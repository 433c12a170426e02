import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { readRunSpec } from "@fedmkt/shared/contracts/read-run-spec.ts";
import type { RunState } from "@fedmkt/shared/contracts/run-state.ts";
import { verdicts } from "@fedmkt/shared/report/table.ts";
import { JobBoard } from "./progress/job-board.ts";
import { INTERRUPTED, isActive, RUN_FILES, readRunState, readRunSummary } from "./run-folder.ts";
import { readRunningJobs } from "./running-jobs.ts";

/** A run on this machine: for programs, and for people. */
export interface DescribedRun {
  data: object;
  text: string;
}

/** Every run in the runs/ folder below another. */
export function describeLocalRuns(cwd: string): DescribedRun[] {
  return findRuns(join(cwd, "runs")).map((folder) => describeAny(folder, relative(cwd, folder)));
}

export function describeLocalRun(state: RunState, folder: string, shown: string): DescribedRun {
  return { data: describe(state, folder), text: tell(state, folder, shown) };
}

function findRuns(parent: string): string[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(parent, entry.name))
    .filter((folder) => existsSync(join(folder, RUN_FILES.state)))
    .sort();
}

/** One run whose files are broken must not hide the others. */
function describeAny(folder: string, shown: string): DescribedRun {
  try {
    const state = readRunState(folder)!;
    return describeLocalRun(state, folder, shown);
  } catch (error) {
    const { name, message } = error as Error;
    return {
      data: { folder, standing: "unreadable", error: name, cause: message },
      text: `${shown}: unreadable\n  ${name}: ${message}`,
    };
  }
}

function standing(state: RunState, folder: string): "running" | "interrupted" | "succeeded" | "failed" {
  if (state.status === "RUNNING") return isActive(state, folder) ? "running" : "interrupted";
  if (state.status === "SUCCEEDED") return "succeeded";
  return state.error === INTERRUPTED ? "interrupted" : "failed";
}

function describe(state: RunState, folder: string) {
  const { run, specHash, error, cause, wallTimeMs, peakMemoryBytes } = state;
  const stands = standing(state, folder);
  const jobs = stands === "running" ? readRunningJobs(folder) : [];
  return { run, folder, standing: stands, jobs, specHash, error, cause, wallTimeMs, peakMemoryBytes };
}

function tell(state: RunState, folder: string, shown: string): string {
  const stands = standing(state, folder);
  const lines = [`${state.run}: ${stands} (${shown})`];
  if (stands === "failed") lines.push(`  ${state.error}: ${state.cause}`);
  if (stands === "running") lines.push(...tellJobs(folder).map((line) => `  ${line}`));
  if (stands === "interrupted") lines.push("  the same fedmkt run goes on where it stopped");
  if (state.status === "SUCCEEDED")
    lines.push(...verdicts(readRunSummary(folder)).map(({ sentence }) => `  ${sentence}`));
  return lines.join("\n");
}

/** The jobs that run now, as the run's own display shows them. */
function tellJobs(folder: string): string[] {
  const spec = join(folder, RUN_FILES.spec);
  if (!existsSync(spec)) return [];
  const board = new JobBoard(readRunSpec(readFileSync(spec, "utf8"), spec).rounds);
  for (const progress of readRunningJobs(folder)) board.take({ kind: "progress", progress });
  return board.lines();
}
