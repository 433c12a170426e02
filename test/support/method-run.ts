import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { artefactKeys } from "../../shared/src/contracts/keys.ts";
import type { RunSpecInput } from "../../shared/src/contracts/run-spec.ts";
import { type Selection, selection } from "../../shared/src/contracts/selection.ts";
import { type RunSummary, runSummary } from "../../shared/src/contracts/summary.ts";
import type { SampleTarget } from "../../shared/src/ports/engine.ts";
import { loadPlan } from "../../shared/src/use-cases/load-plan.ts";
import { loadPublicSet } from "../../shared/src/use-cases/public-set.ts";
import { loadSelectedKnowledge } from "../../shared/src/use-cases/selected-knowledge.ts";
import type { RunningJob } from "../../shared/src/use-cases/with-job.ts";
import { type StageRun, stageRun } from "./run-stages.ts";
import { runStages } from "./stage-order.ts";
import { type TinySpec, writeTinyFederation } from "./tiny-federation.ts";

const ANY = 1 << 30;
/** The public set. */
export const COMPLETIONS = [
  ["the ship passes", " the ward"],
  ["the nurse and", " the crew"],
  ["the doctor waits at", " the quay"],
  ["a quiet", " shore"],
  ["the ward and", " the ship"],
];

/** A run that has ended, with what it decided. */
export interface EndedRun extends StageRun {
  summary: RunSummary;
  selected(target: string, round?: number): Promise<Selection>;
  taught(target: string, round?: number): Promise<(SampleTarget | null)[]>;
}

/** A federation of one round that learns nothing but these completions, written into a folder. */
export function writeMethodFederation(folder: string): TinySpec {
  const file = join(folder, "completions.jsonl");
  writeFileSync(
    file,
    COMPLETIONS.map(([prompt, completion]) => `${JSON.stringify({ prompt, completion })}\n`).join(""),
  );
  return { ...writeTinyFederation(folder), rounds: 1, public: [file], baselines: [], evaluation: [] };
}

/** The federation under a method, or with single choices of its own. */
export async function runMethod(
  spec: TinySpec,
  changes: Pick<RunSpecInput, "method"> & Partial<NonNullable<RunSpecInput["distillation"]>>,
): Promise<EndedRun> {
  const { method, ...choices } = changes;
  const ended = stageRun();
  await runStages(ended, {
    ...spec,
    ...(method ? { method } : {}),
    distillation: { ...spec.distillation, ...choices },
  });
  const read = async (key: string) =>
    JSON.parse(new TextDecoder().decode(await ended.objects.get("artefacts", key, ANY)));
  return {
    ...ended,
    summary: runSummary.parse(await read("runs/tiny/published/summary.json")),
    selected: async (target, round = 1) => selection.parse(await read(artefactKeys.selection("tiny", round, target))),
    taught: async (party, round = 1) => {
      const plan = await loadPlan(ended.deps, "tiny");
      const job = { deps: ended.deps, plan, identity: { round, party } } as unknown as RunningJob;
      return (await loadSelectedKnowledge(job, await loadPublicSet(ended.deps, plan))).targets;
    },
  };
}
