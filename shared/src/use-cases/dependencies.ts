import type { ProgressEvent } from "../contracts/progress.ts";
import type { Engine } from "../ports/engine.ts";
import type { Executions } from "../ports/executions.ts";
import type { Interruption } from "../ports/interruption.ts";
import type { Material } from "../ports/material.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { OpenTemplate } from "../ports/template.ts";
import type { Tokenizer } from "../ports/tokenizer.ts";

/** Where a run's objects lie: all that whoever only reads a run needs. */
export interface RunStores {
  objects: ObjectStore;
  buckets: { control: string; artefacts: string; registry: string };
}

/** What every stage is given; handlers and workers build it once, tests hand in what they like. */
export interface StageDependencies extends RunStores {
  material: Material;
  /** @param what - named in errors, such as `client harbour: models/a/tokenizer.json` */
  openTokenizer: (tokenizerJson: Uint8Array, configJson: Uint8Array, what: string) => Tokenizer;
  openTemplate: OpenTemplate;
  progress: (event: ProgressEvent) => void;
}

/** What plan-run is given in addition. */
export interface PlanDependencies extends StageDependencies {
  executions: Executions;
  /** whether jobs in the cluster may read files of this machine, since it is the only one */
  readsLocalFiles: boolean;
}

/** What publish-run is given in addition. */
export interface PublishDependencies extends StageDependencies {
  /** milliseconds since the epoch */
  nowMs(): number;
}

/** What the stages that train are given in addition. */
export interface WorkerDependencies extends StageDependencies {
  engine: Engine;
  interruption: Interruption;
  /** how often training is written down; the clock is monotonic */
  checkpoints: { everyMs: number; nowMs(): number };
  /** tells of trouble that the job goes on in spite of */
  warn(message: string, facts: Record<string, unknown>): void;
}
