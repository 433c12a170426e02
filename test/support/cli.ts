import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ExitCode } from "../../cli/src/command.ts";
import type { Dependencies, LocalRunOptions, LocalRunResult } from "../../cli/src/dependencies.ts";
import { runCli } from "../../cli/src/main.ts";
import { SPEC } from "./spec.ts";
import { SUMMARY } from "./summary.ts";

/** A folder with the toy federation's spec and files, as far as the command line looks at them. */
export function makeToyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fedmkt-cli-"));
  write(folder, "run.yaml", SPEC);
  for (const party of ["server", "harbour", "ward"])
    for (const name of ["config.json", "tokenizer.json", "model.safetensors"])
      write(folder, `models/${party}/${name}`, "{}");
  for (const name of ["harbour", "ward", "public", "heldout-harbour"]) write(folder, `${name}.jsonl`, '{"text":"a"}\n');
  return folder;
}

export function write(folder: string, name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

export function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

export interface CliRun {
  exitCode: ExitCode;
  stdout: string;
  stderr: string;
}

/** One command line, without a process; the clock stands still unless told otherwise. */
export async function callCli(
  cwd: string,
  argv: readonly string[],
  {
    env = {},
    terminal = false,
    signal = new AbortController().signal,
    answer,
    input = "",
    ...dependencies
  }: Partial<Dependencies> & {
    env?: Record<string, string>;
    terminal?: boolean;
    signal?: AbortSignal;
    /** what the person at the terminal says to every question; nobody is there unless given */
    answer?: string;
    /** standard input */
    input?: string;
  } = {},
): Promise<CliRun> {
  const written = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    isTTY: terminal,
    columns: 60,
    write: (text: string) => {
      written[name] += text;
    },
  });
  const io = {
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    colours: terminal,
    readInput: async () => new TextEncoder().encode(input),
    cwd,
    env,
    signal,
    ask:
      answer === undefined
        ? null
        : async (question: string) => {
            written.stderr += question;
            return answer;
          },
  };
  const unexpected = (what: string) => () => Promise.reject(new Error(`no ${what} was expected`));
  const exitCode = await runCli(argv, io, {
    runLocally: unexpected("run"),
    openCloud: unexpected("cloud"),
    clientTemplate: unexpected("template"),
    runProgram: unexpected("program"),
    runWorker: unexpected("worker"),
    startServing: unexpected("endpoint"),
    openKeySecret: unexpected("secret"),
    checkMaterial: async () => ({ mistakes: [], checked: [], unchecked: [] }),
    watchMemory: async () => ({ stop: () => 300 * 1024 ** 2 }),
    loadEngine: async () => ({}),
    createEngine: unexpected("engine"),
    clockMs: () => 0,
    nowMs: () => 0,
    wait: async () => {},
    ...dependencies,
  });
  return { exitCode, ...written };
}

/** A local runner that publishes the toy run's summary and records how it was called. */
export function succeedingRunner(calls: LocalRunOptions[] = []): Dependencies["runLocally"] {
  return async (options) => {
    calls.push(options);
    const { onEvent, runId: run } = options;
    const job = { run, round: 1, stage: "client-train", party: "harbour" };
    onEvent({ kind: "progress", progress: { ...job, phase: "started" } });
    onEvent({
      kind: "progress",
      progress: { ...job, phase: "training", step: 5, steps: 10, loss: 2.345, tokensPerSecond: 812.4 },
    });
    onEvent({ kind: "progress", progress: { ...job, phase: "done" } });
    return { status: "SUCCEEDED", ...objectsOf({ "summary.json": JSON.stringify(SUMMARY) }) };
  };
}

export function failingRunner(error: string, cause: string): Dependencies["runLocally"] {
  return async () => ({ status: "FAILED", error, cause, ...objectsOf({}) });
}

function objectsOf(
  files: Record<string, string>,
): Pick<LocalRunResult, "control" | "artefacts" | "registry" | "readObject"> {
  return {
    control: "control",
    artefacts: "artefacts",
    registry: "registry",
    readObject: async (bucket, key) => {
      const name = key.replace("runs/toy/published/", "");
      return new TextEncoder().encode(files[name] ?? `${bucket}: ${name}`);
    },
  };
}
