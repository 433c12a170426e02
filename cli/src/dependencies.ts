import { setTimeout as sleep } from "node:timers/promises";
import type { Serving, StartServing } from "@fedmkt/gpu-workers/serving/serving.ts";
import type { EnvironmentName } from "@fedmkt/shared/contracts/deployment.ts";
import type { RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import type { Placement } from "@fedmkt/shared/engine/node-placement.ts";
import type { Device, Engine } from "@fedmkt/shared/ports/engine.ts";
import type { Cloud } from "./cloud/cloud.ts";
import type { ProgramRun } from "./cloud/run-program.ts";
import type { SiteWorkerOptions } from "./cloud/site-worker.ts";
import type { KeyStore } from "./keys/key-store.ts";
import type { LocalEvent } from "./local/local-event.ts";
import type { MaterialCheck } from "./validate/check-material.ts";

export interface LocalRunOptions {
  specYaml: Uint8Array;
  runId: string;
  /** the run's folder: S3's files go to aws/, logs to logs/ */
  folder: string;
  clients: RunSpec["clients"];
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
  registry: string;
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
  /** the engine of this process */
  createEngine(device: Device, onPlacement: (graph: string, placement: Placement) => void): Promise<Engine>;
  /** the account that this process's credentials belong to, as one deployment of it */
  openCloud(environment: EnvironmentName): Promise<Cloud>;
  /** the stack of one client, as a template that parameters alone make a client's */
  clientTemplate(environment: EnvironmentName): Promise<string>;
  /** runs a program to its end. @returns its exit code; null where a signal ended it */
  runProgram(run: ProgramRun): Promise<number | null>;
  /** takes a party's jobs from its queue on this machine */
  runWorker(options: SiteWorkerOptions): Promise<void>;
  /** an inference endpoint in this process */
  startServing(options: StartServing): Promise<Serving>;
  /** the keys of an endpoint in a secret of AWS, by its name or ARN */
  openKeySecret(secret: string): Promise<KeyStore>;
  /** milliseconds from any start */
  clockMs(): number;
  /** milliseconds since the epoch */
  nowMs(): number;
  /** resolves after the time, or at once when the signal comes; never rejects */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** Loaded when used: validating a spec needs no engine. */
export const realDependencies: Dependencies = {
  runLocally: async (options) => (await import("./local/run-local.ts")).runLocally(options),
  checkMaterial: async (spec, yaml) => (await import("./validate/check-material.ts")).checkMaterial(spec, yaml),
  watchMemory: async () => (await import("./local/process-tree-memory.ts")).watchTreeMemory(),
  loadEngine: () => import("@fedmkt/shared/engine/session.ts"),
  createEngine: async (...options) => (await import("@fedmkt/shared/engine/engine.ts")).createEngine(...options),
  openCloud: async (environment) => (await import("./cloud/open-cloud.ts")).openCloud(environment),
  clientTemplate: async (environment) => (await import("./cloud/client-template.ts")).clientTemplate(environment),
  runProgram: async (run) => (await import("./cloud/run-program.ts")).runProgram(run),
  runWorker: async (options) => (await import("./cloud/site-worker.ts")).runSiteWorker(options),
  startServing: async (options) => (await import("@fedmkt/gpu-workers/serving/start-serving.ts")).startServing(options),
  openKeySecret: async (secret) => (await import("./cloud/secret-keys.ts")).openSecretKeys(secret),
  clockMs: () => performance.now(),
  nowMs: () => Date.now(),
  wait: async (ms, signal) => {
    await sleep(ms, undefined, { signal }).catch(() => {});
  },
};
