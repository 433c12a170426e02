import type { Cell } from "@fedmkt/shared/contracts/experiment-cells.ts";
import type { Baseline, RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { sha256 } from "@fedmkt/shared/formats/sha256.ts";
import { baselineInputs } from "@fedmkt/shared/use-cases/baseline-inputs.ts";
import { type SpecFile, writeSpec } from "../read-spec-file.ts";
import type { ExperimentRun } from "./read-experiment.ts";

/** A run of the experiment that is to be done, or was begun or done before. */
export interface PlannedRun {
  cell: Cell;
  seed: number;
  /** with those baselines alone that this run does for all cells that share them */
  written: Pick<SpecFile, "spec" | "yaml" | "hash">;
}

/** A run that an earlier start of the experiment began, by the spec that lies in its folder. */
export type FindBegun = (run: ExperimentRun) => readonly RunSpec[];

/**
 * What an experiment has to run: each cell once a seed, and each baseline once a seed for all cells that differ in nothing it depends
 * on, by the first of them. What was begun before keeps what it has, so that a file that grows costs what is new alone; a
 * baseline that is new to cells that were all begun comes in one more run of the first of them.
 *
 * @param runs - of all cells and seeds
 * @param isChosen - of a cell: whether it is run now; those take baselines before others do, which may never be run
 */
export function planRuns(
  runs: readonly ExperimentRun[],
  findBegun: FindBegun,
  isChosen: (cell: string) => boolean = () => true,
): PlannedRun[] {
  const begun = new Map(runs.map((run) => [run, findBegun(run)]));
  const done = new Set<string>();
  for (const [run, specs] of begun)
    for (const spec of specs) for (const baseline of spec.baselines) done.add(baselineKey(run, baseline));
  const isNew = (run: ExperimentRun) => begun.get(run)!.length === 0;
  const assigned = new Map<ExperimentRun, Set<Baseline>>();
  // runs that are yet to come take baselines first
  const inTurn = [...runs.filter(isNew), ...runs.filter((one) => !isNew(one))];
  const chosen = inTurn.filter(({ cell }) => isChosen(cell.name));
  for (const run of [...chosen, ...inTurn.filter((one) => !chosen.includes(one))])
    for (const baseline of run.spec.baselines) {
      const key = baselineKey(run, baseline);
      if (baseline === ALWAYS_RUN || done.has(key)) continue;
      done.add(key);
      assigned.set(run, (assigned.get(run) ?? new Set()).add(baseline));
    }
  return runs.flatMap((run) => {
    const specs = [...begun.get(run)!];
    const own = assigned.get(run);
    if (isNew(run) || own !== undefined)
      specs.push({
        ...run.spec,
        baselines: run.spec.baselines.filter((baseline) => baseline === ALWAYS_RUN || own?.has(baseline)),
      });
    return specs.map((spec) => ({ cell: run.cell, seed: run.seed, written: writeSpec(spec) }));
  });
}

/** A run scores it in any case, asked for or not. */
const ALWAYS_RUN = "zero-shot" satisfies Baseline;

/** Equal for runs whose scores of this baseline are equal. */
export function baselineKey({ spec }: Pick<ExperimentRun, "spec">, baseline: Baseline): string {
  return sha256(new TextEncoder().encode(JSON.stringify([baseline, baselineInputs(spec, baseline)])));
}

/** Equal for specs of one run, whichever baselines it does. */
export function runKey(spec: RunSpec): string {
  return writeSpec({ ...spec, baselines: [] }).hash;
}
