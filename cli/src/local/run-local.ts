import path from "node:path";
import { controlKeys } from "@fedmkt/shared/contracts/keys.ts";
import { InvariantError } from "@fedmkt/shared/core/errors.ts";
import { firstCause } from "@fedmkt/shared/use-cases/fail-run.ts";
import type { Client } from "./clients.ts";
import { type EmbeddedAws, startEmbeddedAws } from "./embedded-aws.ts";
import type { RunningExecution } from "./executions.ts";
import type { OnLocalEvent } from "./local-event.ts";
import type { ObjectCreated } from "./object-events.ts";
import { type StoredObjects, storedObjects } from "./stored-objects.ts";
import { synthesizeAssembly } from "./synthesize.ts";

export interface RunLocallyOptions {
  /** the final spec, with absolute locations */
  specYaml: Uint8Array;
  runId: string;
  /** the run's folder: objects, logs; a run that was broken off goes on from what it finds there */
  folder: string;
  /** the spec's: each gets its stack, and where it computes at a site of its own a worker */
  clients?: readonly Client[];
  /** cdk.out; absent: synthesized from the sources, and cached */
  assembly?: string;
  concurrentTasks: number;
  onEvent: OnLocalEvent;
  /** ends the run: it then counts as ABORTED */
  signal?: AbortSignal;
  workerEntry?: string;
  queueWorkerEntry?: string;
}

export interface LocalRunResult {
  status: "SUCCEEDED" | "FAILED";
  /** the first error at the bottom of nested causes: its name (`Aborted` where the signal ended the run) and message */
  error?: string;
  cause?: string;
  control: string;
  artefacts: string;
  registry: string;
  /** the run's objects on disk, readable after the end */
  objects: StoredObjects;
  readObject(bucket: string, key: string): Promise<Uint8Array>;
}

/**
 * Runs a federation on this machine: the synthesized machines, started as in the cloud by the upload of `runs/<id>/run.yaml`.
 * Resolves when the execution has ended and everything is stopped; no process and no port is left, whichever way it ended.
 *
 * @throws the signal's reason where it ended the run before it began; InvalidInputError `FOLDER_IN_USE`; InvariantError `SYNTHESIS_FAILED`, `RUN_NOT_STARTED`
 */
export async function runLocally(options: RunLocallyOptions): Promise<LocalRunResult> {
  const { signal, runId, onEvent } = options;
  const folder = path.resolve(options.folder);
  signal?.throwIfAborted();
  const assembly = options.assembly ?? (await synthesizeAssembly({ signal })).folder;
  const aws = await startEmbeddedAws({
    assembly,
    folder,
    clients: options.clients,
    concurrentTasks: options.concurrentTasks,
    onEvent,
    workerEntry: options.workerEntry,
    queueWorkerEntry: options.queueWorkerEntry,
  });
  try {
    const execution = await startByUpload(aws, controlKeys.spec(runId), options.specYaml);
    const abort = () => execution.stop("Aborted", "the local run was ended");
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    const { status, error, cause } = await execution.ended;
    signal?.removeEventListener("abort", abort);
    if (status !== "SUCCEEDED") await aws.settled(); // what the run's end is told to writes down how it ended
    const objects = storedObjects(folder);
    return {
      status: status === "SUCCEEDED" ? "SUCCEEDED" : "FAILED",
      ...(status !== "SUCCEEDED" && firstCause(error ?? status, cause ?? "")),
      control: aws.control,
      artefacts: aws.artefacts,
      registry: aws.registry,
      objects,
      readObject: async (bucket, key) => objects.read(bucket, key),
    };
  } finally {
    await aws.stop();
  }
}

async function startByUpload(aws: EmbeddedAws, key: string, bytes: Uint8Array): Promise<RunningExecution> {
  const started: RunningExecution[] = [];
  aws.onStarted((execution, event) => {
    if ((event as ObjectCreated).detail.object?.key === key) started.push(execution);
  });
  await aws.upload(key, bytes);
  if (!started[0])
    throw new InvariantError(
      "RUN_NOT_STARTED",
      `no rule of the assembly answers the upload of ${key} to ${aws.control}`,
    );
  return started[0];
}
