import { join } from "node:path";
import type { RunState } from "@fedmkt/shared/contracts/run-state.ts";
import type { RunSummary } from "@fedmkt/shared/contracts/summary.ts";
import { firstCause } from "@fedmkt/shared/use-cases/fail-run.ts";
import type { Dependencies, LocalRunOptions } from "./dependencies.ts";
import { downloadRun } from "./download-run.ts";
import { RunFailure } from "./failure.ts";
import { FailureCodes } from "./failure-codes.ts";
import type { Io } from "./io.ts";
import { showProgress } from "./progress/show-progress.ts";
import type { SpecFile } from "./read-spec-file.ts";
import { INTERRUPTED, RUN_FILES, writeRunFile, writeRunState } from "./run-folder.ts";

export interface RunHere {
  file: SpecFile;
  folder: string;
  concurrentTasks: number;
  io: Io;
  dependencies: Dependencies;
}

/**
 * Runs on this machine, in a folder that this process holds, and keeps run.json true throughout: whoever reads it later sees how the run ended.
 * @throws RunFailure with the first cause: the party's or the file's own error
 */
export async function runHere({ file, folder, concurrentTasks, io, dependencies }: RunHere) {
  const startedMs = dependencies.clockMs();
  const run = file.spec.name;
  const running: RunState = {
    version: 1,
    run,
    specHash: file.hash,
    status: "RUNNING",
    process: process.pid,
    error: null,
    cause: null,
    wallTimeMs: null,
    peakMemoryBytes: null,
  };
  writeRunState(folder, running);
  writeRunFile(folder, RUN_FILES.spec, file.yaml);
  const memory = await dependencies.watchMemory();
  const display = showProgress(io, file.spec.rounds, dependencies.clockMs);
  const codes = new FailureCodes();
  let peakMemoryBytes: number | null = null;
  const end = (status: RunState["status"], failure?: { error: string; cause: string }): RunState => {
    const wallTimeMs = Math.round(dependencies.clockMs() - startedMs);
    const state: RunState = { ...running, status, process: null, wallTimeMs, peakMemoryBytes, ...failure };
    writeRunState(folder, state);
    return state;
  };
  let summary: RunSummary;
  try {
    const { signal } = io;
    const onEvent: LocalRunOptions["onEvent"] = (event) => {
      codes.take(event);
      display.take(event);
    };
    const result = await dependencies
      .runLocally({
        specYaml: file.yaml,
        runId: run,
        folder,
        clients: file.spec.clients,
        concurrentTasks,
        onEvent,
        signal,
      })
      .finally(() => {
        peakMemoryBytes = memory.stop();
        display.end();
      });
    if (result.status !== "SUCCEEDED") {
      const { error, cause } = firstCause(result.error ?? "Error", result.cause ?? "no cause was given");
      throw io.signal.aborted ? interrupted(folder) : failed(error, cause, codes.codeOf(cause), folder);
    }
    summary = await downloadRun(result, run, folder);
  } catch (thrown) {
    const isOwn = thrown instanceof RunFailure || !io.signal.aborted;
    const error = isOwn ? thrown : interrupted(folder);
    const { name, message } = error instanceof RunFailure ? error.failure : (error as Error);
    try {
      end("FAILED", { error: name, cause: message });
    } catch (writing) {
      // a full disk, which is likely what failed the run too: that error is the one to tell
      io.stderr.write(`${join(folder, RUN_FILES.state)} could not be written: ${(writing as Error).message}\n`);
    }
    throw error;
  }
  return { summary, state: end("SUCCEEDED") };
}

function interrupted(folder: string): RunFailure {
  return failed(INTERRUPTED, "stopped by hand; the same command goes on where it stopped", "RUN_INTERRUPTED", folder);
}

/** @param code - the error's own; null where it is not known, as with a worker that died */
function failed(name: string, cause: string, code: string | null, folder: string): RunFailure {
  const logs = join(folder, RUN_FILES.logs);
  return new RunFailure({
    name,
    code: code ?? "RUN_FAILED",
    message: `${cause}\nLogs: ${logs}`,
    details: { folder, logs },
    exitCode: name === "InvalidInputError" ? 2 : 1,
  });
}
