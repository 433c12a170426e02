import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { Dependencies, LocalRunOptions } from "../../../cli/src/dependencies.ts";
import { eventOf } from "../../../cli/src/local/output-lines.ts";
import { identityOf } from "../../../cli/src/process-identity.ts";
import { readSpecFile } from "../../../cli/src/read-spec-file.ts";
import { readRunState, writeRunState } from "../../../cli/src/run-folder.ts";
import { jobFailureCause } from "../../../shared/src/contracts/job-failure.ts";
import { readRunSpec } from "../../../shared/src/contracts/read-run-spec.ts";
import { callCli, failingRunner, makeToyFolder, remove, succeedingRunner, write } from "../../support/cli.ts";
import { SPEC } from "../../support/spec.ts";

/** As a spec refers to an environment variable. */
const variable = (name: string) => `\${${name}}`;
const RUN = ["run", "--local", "run.yaml"];

describe("fedmkt run --local", () => {
  let folder: string;
  beforeEach(() => {
    folder = makeToyFolder();
  });
  afterEach(() => remove(folder));

  it("runs, downloads what was published, and shows table, verdicts and paths", async () => {
    const calls: LocalRunOptions[] = [];
    const { exitCode, stdout, stderr } = await callCli(folder, RUN, { runLocally: succeedingRunner(calls) });
    expect(exitCode).toBe(0);
    expect(stderr).toBe(
      "run toy: 2 rounds, 2 clients, in runs/toy\nround 1/2, harbour, client-train: started\nround 1/2, harbour, client-train: done, loss 2.345\n",
    );
    for (const text of ["2.810*", "ward: did not gain on domains", "Exchanged in all: 1.9 MiB", "300.0 MiB at most"])
      expect(stdout).toContain(text);
    expect(stdout).toContain("Report:   runs/toy/report.html");
    expect(stdout).toContain("Adapter:  runs/toy/adapters/ward (ward)");
    expect(stdout).toMatch(/\nServe: {4}fedmkt serve --registry runs --model MODEL \(a party's base model\)\n$/);
    const run = join(folder, "runs/toy");
    expect(readdirSync(join(run, "adapters/harbour")).sort()).toEqual([
      "README.md",
      "adapter_config.json",
      "adapter_model.safetensors",
      "registry-entry.json",
    ]);
    expect(readdirSync(run).sort()).toEqual(["adapters", "report.html", "run.json", "spec.yaml", "summary.json"]);
    expect(calls[0]).toMatchObject({ runId: "toy", folder: run });
  });

  it("uploads a spec with absolute locations that reads as the same run", async () => {
    const calls: LocalRunOptions[] = [];
    await callCli(folder, RUN, { runLocally: succeedingRunner(calls) });
    const text = new TextDecoder().decode(calls[0].specYaml);
    const spec = readRunSpec(text, "uploaded");
    expect(spec.server.model).toBe(join(folder, "models/server"));
    expect(spec.evaluation[0].data.path).toBe(join(folder, "heldout-harbour.jsonl"));
    expect(spec).toEqual({
      ...readRunSpec(SPEC, "given"),
      server: spec.server,
      clients: spec.clients,
      public: spec.public,
      evaluation: spec.evaluation,
    });
    expect(readFileSync(join(folder, "runs/toy/spec.yaml"), "utf8")).toBe(text);
  });

  it("shows a finished run again without running", async () => {
    await callCli(folder, RUN, { runLocally: succeedingRunner() });
    const again = await callCli(folder, RUN);
    expect(again.exitCode).toBe(0);
    expect(again.stderr).toContain("is finished already");
    expect(again.stdout).toContain("2.810*");
  });

  it("refuses a folder with another spec's run, naming both hashes, until --fresh", async () => {
    await callCli(folder, RUN, { runLocally: succeedingRunner() });
    const before = readRunState(join(folder, "runs/toy"))!.specHash;
    write(folder, "run.yaml", SPEC.replace("rounds: 2", "rounds: 3"));
    const refused = await callCli(folder, RUN);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(new RegExp(`RUN_CHANGED.*expected [0-9a-f]{64}, got ${before}`));
    write(folder, "runs/toy/aws/left-over", "x");
    const fresh = await callCli(folder, [...RUN, "--fresh"], { runLocally: succeedingRunner() });
    expect(fresh.exitCode).toBe(0);
    expect(existsSync(join(folder, "runs/toy/aws/left-over"))).toBe(false);
  });

  it("goes on with an unfinished run, keeping what is there", async () => {
    await callCli(folder, RUN, { runLocally: failingRunner("TransientError", "a machine was lost") });
    write(folder, "runs/toy/aws/kept", "x");
    const calls: LocalRunOptions[] = [];
    const { exitCode } = await callCli(folder, RUN, { runLocally: succeedingRunner(calls) });
    expect([exitCode, calls.length]).toEqual([0, 1]);
    expect(existsSync(join(folder, "runs/toy/aws/kept"))).toBe(true);
  });

  it("never deletes a folder that is not a run's", async () => {
    write(folder, "precious/thesis.txt", "x");
    const { exitCode, stderr } = await callCli(folder, [...RUN, "--fresh", "--out", "precious"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("FOLDER_IN_USE");
    expect(readdirSync(join(folder, "precious"))).toEqual(["thesis.txt"]);
  });

  it("refuses a folder in which another process runs", async () => {
    await callCli(folder, RUN, { runLocally: succeedingRunner() });
    const run = join(folder, "runs/toy");
    writeRunState(run, { ...readRunState(run)!, status: "RUNNING", process: process.ppid });
    const lock = write(folder, "runs/toy/lock", JSON.stringify(identityOf(process.ppid)));
    const { exitCode, stderr } = await callCli(folder, [...RUN, "--fresh"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`process ${process.ppid} is running there; if that is no fedmkt, delete ${lock}`);
    expect(readRunState(run)).toMatchObject({ process: process.ppid });
    expect((await callCli(folder, ["status"])).stdout).toContain("toy: running");
  });

  it("goes on where the process that ran it is gone and another program has its id now", async () => {
    await callCli(folder, RUN, { runLocally: failingRunner("TransientError", "a machine was lost") });
    const run = join(folder, "runs/toy");
    writeRunState(run, { ...readRunState(run)!, status: "RUNNING", process: process.ppid });
    write(folder, "runs/toy/lock", JSON.stringify({ ...identityOf(process.ppid), boot: "an earlier one" }));
    expect((await callCli(folder, ["status"])).stdout).toContain("toy: interrupted");
    expect((await callCli(folder, RUN, { runLocally: succeedingRunner() })).exitCode).toBe(0);
    expect(existsSync(join(run, "lock"))).toBe(false);
  });

  it("holds the folder before it writes anything, as long as it runs", async () => {
    const runLocally: Dependencies["runLocally"] = async (options) => {
      const before = readFileSync(join(options.folder, "run.json"), "utf8");
      const second = await callCli(folder, [...RUN, "--fresh"]);
      expect(second.stderr).toContain("FOLDER_IN_USE");
      expect(readFileSync(join(options.folder, "run.json"), "utf8")).toBe(before);
      return succeedingRunner()(options);
    };
    expect((await callCli(folder, RUN, { runLocally })).exitCode).toBe(0);
  });

  it("that is stopped by hand before it began is interrupted, not broken", async () => {
    const controller = new AbortController();
    const runLocally = () => {
      controller.abort();
      return Promise.reject(new Error("synthesis ended"));
    };
    const { exitCode, stderr } = await callCli(folder, RUN, { signal: controller.signal, runLocally });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("Interrupted (RUN_INTERRUPTED): stopped by hand");
    expect(readRunState(join(folder, "runs/toy"))).toMatchObject({ status: "FAILED", error: "Interrupted" });
  });

  it("tells the first error where run.json cannot be written at the end either", async () => {
    const runLocally: Dependencies["runLocally"] = ({ folder: run }) => {
      rmSync(join(run, "run.json"));
      mkdirSync(join(run, "run.json", "x"), { recursive: true });
      return Promise.reject(new Error("no space left on device"));
    };
    const { stderr } = await callCli(folder, RUN, { runLocally });
    expect(stderr).toContain("run.json could not be written");
    expect(stderr).toContain("Error (UNEXPECTED): Error: no space left on device");
  });

  it("refuses a file for a folder", async () => {
    for (const out of ["run.yaml", "run.yaml/below"]) {
      const { exitCode, stderr } = await callCli(folder, [...RUN, "--out", out]);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining("expected a folder")]);
    }
  });

  it("exits 2 with the party's own error where bad input failed the run, and status shows it later", async () => {
    const message = "client ward: models/ward/model.safetensors: truncated in tensor lm_head: expected 9 bytes, got 4";
    const child = JSON.stringify({ Error: "InvalidInputError", Cause: message });
    const runLocally = failingRunner("States.TaskFailed", child);
    const { exitCode, stdout, stderr } = await callCli(folder, RUN, { runLocally });
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(`InvalidInputError (RUN_FAILED): ${message}\nLogs: ${join(folder, "runs/toy/logs")}`);
    const status = await callCli(folder, ["status", "runs/toy"]);
    expect(status.exitCode).toBe(0);
    expect(status.stdout).toContain(`toy: failed (runs/toy)\n  InvalidInputError: ${message}`);
    expect(existsSync(join(folder, "runs/toy/summary.json"))).toBe(false);
  });

  it("fails with the code that a worker's job has answered", async () => {
    const cause = jobFailureCause({ message: "ward.jsonl: line 3", code: "DATASET_INVALID" }, { party: "ward" });
    const runLocally = failingRunner("InvalidInputError", cause);
    const { stderr } = await callCli(folder, RUN, { runLocally });
    expect(stderr).toContain("InvalidInputError (DATASET_INVALID): ward.jsonl: line 3 [DATASET_INVALID: ward]\n");
  });

  it("fails with the first cause's own code, and shows nothing of the records and failed states around it", async () => {
    const record = JSON.stringify({
      level: "ERROR",
      message: "job failed",
      code: "DATASET_INVALID",
      error: { name: "InvalidInputError", message: "client ward: ward.jsonl: line 3: expected text", stack: "at a:1" },
    });
    const runLocally: Dependencies["runLocally"] = async (options) => {
      const stopped = record.replace("DATASET_INVALID", "WORKER_STOPPED").replace("client ward", "client harbour");
      for (const line of [record, stopped]) options.onEvent(eventOf("ClientTrain", line, "info"));
      const state = { machine: "round", execution: "e", name: "ClientTrain", at: 0 };
      options.onEvent({ kind: "state-failed", ...state, error: "States.TaskFailed", cause: '{"trace":[]}' });
      const cause = "client ward: ward.jsonl: line 3: expected text";
      return failingRunner("States.TaskFailed", JSON.stringify({ Error: "InvalidInputError", Cause: cause }))(options);
    };
    const shown = await callCli(folder, RUN, { runLocally });
    const last = `client ward: ward.jsonl: line 3: expected text\nLogs: ${join(folder, "runs/toy/logs")}`;
    expect(shown.stderr).toBe(
      `run toy: 2 rounds, 2 clients, in runs/toy\nInvalidInputError (DATASET_INVALID): ${last}\n`,
    );
    const { stdout } = await callCli(folder, [...RUN, "--json"], { runLocally });
    expect(JSON.parse(stdout).error).toMatchObject({ code: "DATASET_INVALID", message: last });
  });

  it("exits 1 where anything else failed it, a crash included", async () => {
    expect((await callCli(folder, RUN, { runLocally: failingRunner("InvariantError", "x") })).exitCode).toBe(1);
    const crash = await callCli(folder, RUN, { runLocally: () => Promise.reject(new Error("no port")) });
    expect(crash.exitCode).toBe(1);
    expect(readRunState(join(folder, "runs/toy"))).toMatchObject({
      status: "FAILED",
      error: "Error",
      cause: "no port",
    });
  });

  it("takes a variable's relative path from where the command was started, a spec's own from where the spec lies", () => {
    mkdirSync(join(folder, "specs"));
    const text = SPEC.replaceAll("models/", `${variable("PLACE")}/models/`).replaceAll(/[a-z-]+\.jsonl/g, "../$&");
    writeFileSync(join(folder, "specs/run.yaml"), text);
    const read = (place: string) =>
      readSpecFile("specs/run.yaml", { cwd: folder, env: { PLACE: place } }, { mayReadS3: false });
    expect(read(".").spec.server.model).toBe(join(folder, "models/server"));
    expect(() => read("nowhere")).toThrow(`${folder}/nowhere/models/server`);
  });

  it("takes a model whose weights are in several files", () => {
    const model = join(folder, "models/ward");
    const read = () => readSpecFile("run.yaml", { cwd: folder, env: {} }, { mayReadS3: false });
    renameSync(join(model, "model.safetensors"), join(model, "model-00001-of-00001.safetensors"));
    expect(read).toThrow("models/ward has no model.safetensors");
    writeFileSync(join(model, "model.safetensors.index.json"), "{}");
    expect(read().spec.clients[1].model).toBe(model);
  });

  it("names every missing file and variable at once, and starts nothing", async () => {
    remove(join(folder, "models/ward"));
    remove(join(folder, "models/harbour/tokenizer.json"));
    const text = SPEC.replace(
      "- public.jsonl",
      `- { path: '${variable("NOWHERE")}/p.jsonl', keepCharactersOf: '${variable("GONE")}/t.json' }`,
    );
    writeFileSync(join(folder, "run.yaml"), text);
    const { exitCode, stderr } = await callCli(folder, RUN);
    expect(exitCode).toBe(2);
    expect(stderr.trimEnd().split("\n")).toEqual([
      "InvalidInputError (SPEC_INVALID): run.yaml: 4 mistakes",
      expect.stringContaining(
        `line 9, clients[0].model: client harbour: expected a model's folder with config.json, tokenizer.json, model.safetensors; ${folder}/models/harbour has no tokenizer.json`,
      ),
      expect.stringContaining(
        `line 13, clients[1].model: client ward: expected a model's folder, got ${folder}/models/ward, which does not exist`,
      ),
      expect.stringContaining("line 17, public[0].path: the environment variable NOWHERE is not set"),
      expect.stringContaining("line 17, public[0].keepCharactersOf: the environment variable GONE is not set"),
    ]);
    expect(existsSync(join(folder, "runs"))).toBe(false);
  });

  it("tells mistakes of the spec and missing files together, with lines and paths as they are written", async () => {
    remove(join(folder, "ward.jsonl"));
    write(folder, "run.yaml", SPEC.replace("rounds: 2", "rounds: 0").replace("id: harbour", "id: Harbour"));
    const { stderr } = await callCli(folder, RUN);
    expect(stderr.trimEnd().split("\n").slice(1)).toEqual([
      "  line 2, rounds: expected at least 1, got 0",
      expect.stringContaining("  line 8, clients[0].id: "),
      `  line 14, clients[1].private: client ward: expected a file, got ${folder}/ward.jsonl, which does not exist`,
      expect.stringContaining("  line 19, evaluation[0].owner: "),
    ]);
  });

  it("refuses what lies in S3 before it starts, since nothing here could read it", async () => {
    write(folder, "run.yaml", SPEC.replace("private: ward.jsonl", "private: { path: s3://data/ward.jsonl, from: 1 }"));
    expect(await callCli(folder, RUN)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(
        "line 14, clients[1].private.path: client ward: expected a path on this machine, got s3://data/ward.jsonl; a run on this machine reads no S3",
      ),
    });
  });

  it("puts variables into locations", async () => {
    const elsewhere = makeToyFolder();
    writeFileSync(
      join(folder, "run.yaml"),
      SPEC.replace("model: models/server", `model: ${variable("MODELS")}/server`),
    );
    const calls: LocalRunOptions[] = [];
    const env = { MODELS: join(elsewhere, "models") };
    expect((await callCli(folder, RUN, { env, runLocally: succeedingRunner(calls) })).exitCode).toBe(0);
    expect(new TextDecoder().decode(calls[0].specYaml)).toContain(`model: ${elsewhere}/models/server\n`);
    remove(elsewhere);
  });

  it("writes nothing but one envelope with --json", async () => {
    const { stdout } = await callCli(folder, [...RUN, "--json"], { runLocally: succeedingRunner() });
    const { ok, data } = JSON.parse(stdout);
    expect(ok).toBe(true);
    expect(data).toMatchObject({ run: "toy", status: "SUCCEEDED", reused: false, bytesExchanged: 2_000_004 });
    const failed = await callCli(folder, [...RUN, "--json", "--fresh"], {
      runLocally: failingRunner("TransientError", "c"),
    });
    expect(JSON.parse(failed.stdout)).toMatchObject({
      ok: false,
      error: { name: "TransientError", code: "RUN_FAILED", message: expect.stringContaining("c\nLogs: ") },
    });
  });

  it("repaints live lines on a terminal", async () => {
    let nowMs = 0;
    const clockMs = () => {
      nowMs += 200;
      return nowMs;
    };
    const { stderr } = await callCli(folder, RUN, { terminal: true, clockMs, runLocally: succeedingRunner() });
    expect(stderr).toContain("1/2 harbour client-train training █████░░░░░ 5/10  loss 2.3");
    expect(stderr).toContain("\u001b[1A\u001b[0J");
    expect(
      stripVTControlCharacters(stderr)
        .split("\n")
        .every((line) => line.length < 60),
    ).toBe(true);
  });

  it.each([["0"], ["x"], ["1e2"], ["9999"]])("refuses --concurrency %s", async (value) => {
    const { exitCode, stderr } = await callCli(folder, [...RUN, "--concurrency", value]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("expected a whole number from 1 to 256");
  });

  it.each([["--upload"], ["--detach"], ["--environment", "dev"]])(
    "refuses %s, which goes with a deployment",
    async (...option) => {
      const { exitCode, stderr } = await callCli(folder, [...RUN, ...option]);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining(`${option[0]} goes with a deployment`)]);
    },
  );

  it.each([["--fresh"], ["--concurrency", "2"]])("alone takes %s", async (...option) => {
    const { exitCode, stderr } = await callCli(folder, ["run", "run.yaml", ...option]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(`${option[0]} goes with --local`)]);
  });
});
