import { existsSync, readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { RunState } from "@fedmkt/shared/contracts/run-state.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { verdicts } from "@fedmkt/shared/report/table.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { INTERRUPTED, isActive, RUN_FILES, readRunState, readRunSummary } from "../run-folder.ts";

export const command: Command = {
  meta: { name: "status", description: "how runs stand, and why one failed" },
  args: {
    folder: { type: "positional", required: false, description: "a run's folder (default: every run in runs/)" },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt status", "fedmkt status runs/quickstart"],
  async run({ args, io }): Promise<Outcome> {
    const given = args.folder as string | undefined;
    if (given !== undefined) {
      const folder = resolve(io.cwd, given);
      const state = readRunState(folder);
      if (state === null)
        throw new InvalidInputError("RUN_MISSING", `${given}: expected a run's folder, there is no ${RUN_FILES.state}`);
      return { data: describe(state, folder), text: tell(state, folder, given) };
    }
    const runs = findRuns(join(io.cwd, "runs"));
    return {
      data: runs.map(({ folder, state }) => describe(state, folder)),
      text:
        runs.length === 0
          ? "no runs in runs/"
          : runs.map(({ folder, state }) => tell(state, folder, relative(io.cwd, folder))).join("\n"),
    };
  },
};

function findRuns(parent: string): { folder: string; state: RunState }[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(parent, entry.name))
    .sort()
    .flatMap((folder) => {
      const state = readRunState(folder);
      return state === null ? [] : [{ folder, state }];
    });
}

function standing(state: RunState): "running" | "interrupted" | "succeeded" | "failed" {
  if (state.status === "RUNNING") return isActive(state) ? "running" : "interrupted";
  if (state.status === "SUCCEEDED") return "succeeded";
  return state.error === INTERRUPTED ? "interrupted" : "failed";
}

function describe(state: RunState, folder: string) {
  const { run, specHash, error, cause, wallTimeMs, peakMemoryBytes } = state;
  return { run, folder, standing: standing(state), specHash, error, cause, wallTimeMs, peakMemoryBytes };
}

function tell(state: RunState, folder: string, shown: string): string {
  const lines = [`${state.run}: ${standing(state)} (${shown})`];
  if (standing(state) === "failed") lines.push(`  ${state.error}: ${state.cause}`);
  if (standing(state) === "interrupted") lines.push("  the same fedmkt run goes on where it stopped");
  if (state.status === "SUCCEEDED")
    lines.push(...verdicts(readRunSummary(folder)).map(({ sentence }) => `  ${sentence}`));
  return lines.join("\n");
}
