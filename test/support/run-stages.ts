import { MemoryObjectStore } from "../../cli/src/validate/memory-object-store.ts";
import { FileMaterial } from "../../shared/src/adapters/material/file-material.ts";
import { openTemplate } from "../../shared/src/adapters/templates/open-template.ts";
import { openTokenizer } from "../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import type { ProgressEvent } from "../../shared/src/contracts/progress.ts";
import type { Executions } from "../../shared/src/ports/executions.ts";
import { engine } from "./shared-engine.ts";
import type { StagePlace } from "./stage-order.ts";
import { UNINTERRUPTED } from "./uninterrupted.ts";

export interface StageRun extends StagePlace {
  progress: ProgressEvent[];
  /** how executions stand; whoever is not named has ended */
  standing: Map<string, Standing>;
}

type Standing = Awaited<ReturnType<Executions["standing"]>>;

export function stageRun(): StageRun {
  const objects = new MemoryObjectStore();
  const progress: ProgressEvent[] = [];
  const standing = new Map<string, Standing>();
  let seconds = 0;
  const deps: StageRun["deps"] = {
    objects,
    buckets: { control: "control", artefacts: "artefacts", registry: "registry" },
    material: new FileMaterial(),
    openTokenizer,
    openTemplate,
    progress: (event) => progress.push(event),
    engine,
    ...UNINTERRUPTED,
    executions: { standing: async (execution) => standing.get(execution) ?? "ended" },
    readsLocalFiles: true,
    // the clock that tells when something is published: each look a second later
    nowMs: () => Date.UTC(2026, 0, 1) + 1000 * seconds++,
  };
  return { deps, objects, progress, standing };
}
