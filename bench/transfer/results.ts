import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryObjectStore } from "../../cli/src/validate/memory-object-store.ts";
import { FileMaterial } from "../../shared/src/adapters/material/file-material.ts";
import { openTokenizer } from "../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { artefactKeys } from "../../shared/src/contracts/keys.ts";
import type { RunSpecInput } from "../../shared/src/contracts/run-spec.ts";
import { type RunSummary, runSummary } from "../../shared/src/contracts/summary.ts";
import { createEngine } from "../../shared/src/engine/engine.ts";
import { runStages } from "../../test/support/stage-order.ts";
import { UNINTERRUPTED } from "../../test/support/uninterrupted.ts";
import { specHash } from "./grid.ts";

/** What is kept of a cell's run. */
export interface CellResult {
  specHash: string;
  seconds: number;
  summary: RunSummary;
}

/** Results of cells in a folder, one file each, so that a grid that was cut off goes on where it stopped. */
export class CellResults {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** @returns null where the run has not ended, or was of another specification */
  find(spec: RunSpecInput): CellResult | null {
    const path = this.#path(spec);
    if (!existsSync(path)) return null;
    const result = JSON.parse(readFileSync(path, "utf8")) as CellResult;
    return result.specHash === specHash(spec) ? result : null;
  }

  keep(spec: RunSpecInput, summary: RunSummary, seconds: number): void {
    const result: CellResult = { specHash: specHash(spec), seconds, summary };
    writeFileSync(this.#path(spec), JSON.stringify(result));
  }

  #path(spec: RunSpecInput): string {
    return join(this.#folder, `${spec.name}.json`);
  }
}

/** Runs the product's own stages one after the other in this process, every object in memory: no process a job. */
export async function runCell(spec: RunSpecInput): Promise<RunSummary> {
  const objects = new MemoryObjectStore();
  const engine = createEngine();
  const buckets = { control: "control", artefacts: "artefacts", registry: "registry" };
  const deps = {
    ...{ objects, buckets, engine, openTokenizer, ...UNINTERRUPTED },
    ...{ material: new FileMaterial(), readsLocalFiles: true, progress: () => undefined },
    executions: { standing: async () => "ended" as const },
  };
  try {
    await runStages({ deps, objects }, spec);
  } finally {
    await engine.close();
  }
  const bytes = await objects.get(buckets.artefacts, `${artefactKeys.published(spec.name)}/summary.json`, 2 ** 26);
  return runSummary.parse(JSON.parse(new TextDecoder().decode(bytes)));
}
