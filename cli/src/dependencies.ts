import type { RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import type { LocalEvent } from "./local/local-event.ts";
import type { MaterialCheck } from "./validate/check-material.ts";

export interface LocalRunOptions {
  specYaml: Uint8Array;
  runId: string;
  /** the run's folder: S3's files go to aws/, logs to logs/ */
  folder: string;
  concurrentTasks: number;
  onEvent: (event: LocalEvent) => void;
  signal: AbortSignal;
}

export interface LocalRunResult {
  status: string;
  /** the name and the message of what failed it */
  error?: string;
  cause?: string;
  /** bucket names */
  control: string;
  artefacts: string;
  readObject(bucket: string, key: string): Promise<Uint8Array>;
}

/** Watches the memory (PSS) of this process and its children. */
export interface MemoryWatch {
  /** ends it; @returns the peak in bytes, null where the system does not tell */
  stop(): number | null;
}

/** What commands use beyond files; tests hand in what they like. */
export interface Dependencies {
  runLocally(options: LocalRunOptions): Promise<LocalRunResult>;
  /** looks into the models and data of a spec whose locations are absolute; `yaml` is its text */
  checkMaterial(spec: RunSpec, yaml: Uint8Array): Promise<MaterialCheck>;
  watchMemory(): Promise<MemoryWatch>;
  /** loads onnxruntime's binding, or throws */
  loadEngine(): Promise<unknown>;
  /** milliseconds from any start */
  clockMs(): number;
}

/** Loaded when used: validating a spec needs no engine. */
export const realDependencies: Dependencies = {
  runLocally: async (options) => (await import("./local/run-local.ts")).runLocally(options),
  checkMaterial: async (spec, yaml) => (await import("./validate/check-material.ts")).checkMaterial(spec, yaml),
  watchMemory: async () => (await import("./local/process-tree-memory.ts")).watchTreeMemory(),
  loadEngine: () => import("@fedmkt/shared/engine/session.ts"),
  clockMs: () => performance.now(),
};
