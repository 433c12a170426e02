import { readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { COMMANDS } from "../../../cli/src/command-table.ts";
import { readRunState, writeRunState } from "../../../cli/src/run-folder.ts";
import { callCli, makeToyFolder, remove, succeedingRunner, write } from "../../support/cli.ts";
import { SPEC } from "../../support/spec.ts";

describe("the command line", () => {
  let folder: string;
  beforeEach(() => {
    folder = makeToyFolder();
  });
  afterEach(() => remove(folder));

  it("lists its commands, and is bad input without one", async () => {
    expect(await callCli(folder, ["--help"])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("doctor") });
    expect((await callCli(folder, [])).exitCode).toBe(2);
  });

  it("tells its version, and puts help and version into the envelope with --json", async () => {
    expect((await callCli(folder, ["--version"])).stdout).toMatch(/^fedmkt \d+\.\d+\.\d+\n$/);
    for (const line of [
      ["--version", "--json"],
      ["--json", "--version"],
    ])
      expect(JSON.parse((await callCli(folder, line)).stdout)).toMatchObject({
        ok: true,
        data: { version: expect.any(String) },
      });
    for (const line of [
      ["--help", "--json"],
      ["run", "--help", "--json"],
    ])
      expect(JSON.parse((await callCli(folder, line)).stdout)).toMatchObject({
        ok: true,
        data: { help: expect.any(String) },
      });
  });

  it.each(Object.keys(COMMANDS))("says with an example how to use %s", async (name) => {
    const { exitCode, stdout } = await callCli(folder, [name, "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`USAGE fedmkt ${name}`);
    expect(stdout).toMatch(new RegExp(`EXAMPLES\\n\\n {2}fedmkt ${name}`));
    expect(stdout).not.toContain("\u001b");
  });

  it("describes a command after help as with --help", async () => {
    const asked = await callCli(folder, ["help", "run"]);
    expect(asked).toEqual(await callCli(folder, ["run", "--help"]));
    expect(asked.stdout).toContain("USAGE fedmkt run");
    expect((await callCli(folder, ["help", "rum"])).stderr).toContain("did you mean run?");
  });

  it("says in its own words what is missing", async () => {
    expect((await callCli(folder, ["validate"])).stderr).toBe(
      "InvalidInputError (BAD_ARGUMENT): fedmkt validate: expected SPEC (the run's spec), got none\n",
    );
  });

  it("suggests the command or the option that was meant", async () => {
    expect(await callCli(folder, ["valdate", "run.yaml"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("did you mean validate?"),
    });
    expect(await callCli(folder, ["run", "--locl", "run.yaml"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("unknown option --locl; did you mean --local?"),
    });
    expect((await callCli(folder, ["validate", "run.yaml", "other.yaml"])).exitCode).toBe(2);
    expect((await callCli(folder, ["validate"])).exitCode).toBe(2);
    expect((await callCli(folder, ["run", "--local", "run.yaml", "--out"])).exitCode).toBe(2);
  });

  describe("validate", () => {
    it("says that a spec is right", async () => {
      expect(await callCli(folder, ["validate", "run.yaml"])).toMatchObject({
        exitCode: 0,
        stdout: expect.stringContaining("run.yaml: right. Run toy: 2 rounds, clients harbour, ward"),
      });
    });

    it("gives all mistakes to people and to programs", async () => {
      write(
        folder,
        "run.yaml",
        SPEC.replace("rounds: 2", "rounds: 0").replace("seed", "sed").replace("name: toy", "name: Toy"),
      );
      const { exitCode, stdout, stderr } = await callCli(folder, ["validate", "run.yaml", "--json"]);
      expect([exitCode, stderr]).toEqual([2, ""]);
      const { ok, error } = JSON.parse(stdout);
      expect(ok).toBe(false);
      expect(error).toMatchObject({ name: "InvalidInputError", code: "SPEC_INVALID" });
      expect(error.details.mistakes).toEqual([
        { path: "name", line: 1, message: expect.stringContaining('got "Toy"') },
        { path: "rounds", line: 2, message: "expected at least 1, got 0" },
      ]);
    });

    it("refuses what is no file, and what is too long to be a spec", async () => {
      expect((await callCli(folder, ["validate", "models"])).stderr).toContain("SPEC_MISSING");
      write(folder, "long.yaml", "#".repeat(1024 * 1024 + 1));
      expect((await callCli(folder, ["validate", "long.yaml"])).exitCode).toBe(2);
    });
  });

  describe("status and report", () => {
    it("lists no runs, then the run that was made", async () => {
      expect((await callCli(folder, ["status"])).stdout).toBe("no runs in runs/\n");
      await callCli(folder, ["run", "--local", "run.yaml"], { runLocally: succeedingRunner() });
      const { stdout } = await callCli(folder, ["status"]);
      expect(stdout).toContain("toy: succeeded (runs/toy)\n  server: gained");
      expect(JSON.parse((await callCli(folder, ["status", "--json"])).stdout).data).toMatchObject([
        { run: "toy", standing: "succeeded", folder: join(folder, "runs/toy") },
      ]);
    });

    it("tells a run that was stopped, by hand or by force, from one that failed", async () => {
      await callCli(folder, ["run", "--local", "run.yaml"], { runLocally: succeedingRunner() });
      const run = join(folder, "runs/toy");
      const state = readRunState(run)!;
      for (const stopped of [
        { status: "RUNNING" as const, process: 2 ** 30 },
        { status: "FAILED" as const, error: "Interrupted", cause: "stopped by hand" },
      ]) {
        writeRunState(run, { ...state, ...stopped });
        expect((await callCli(folder, ["status"])).stdout).toBe(
          "toy: interrupted (runs/toy)\n  the same fedmkt run goes on where it stopped\n",
        );
      }
    });

    it("tells how far the jobs of a running run are, leaving out those of earlier starts", async () => {
      const log = (file: string, phase: string, more: object = {}) =>
        write(
          folder,
          `runs/toy/logs/${file}`,
          `${JSON.stringify({ message: "progress", progress: { run: "toy", round: 2, stage: "client-train", party: "ward", phase, ...more } })}\nnot of interest\n`,
        );
      await callCli(folder, ["run", "--local", "run.yaml"], {
        runLocally: async (options) => {
          utimesSync(log("ClientTrain-1.log", "training", { party: "gone" }), 1, 1);
          log("ClientTrain-2.log", "training", { step: 3, steps: 6 });
          log("ClientTrain-3.log", "done", { party: "harbour" });
          const { stdout } = await callCli(folder, ["status"]);
          expect(stdout).toBe("toy: running (runs/toy)\n  2/2 ward client-train training █████░░░░░ 3/6\n");
          return succeedingRunner()(options);
        },
      });
      expect((await callCli(folder, ["status"])).stdout).toContain("toy: succeeded");
    });

    it("writes the same report again", async () => {
      await callCli(folder, ["run", "--local", "run.yaml"], { runLocally: succeedingRunner() });
      const file = join(folder, "runs/toy/report.html");
      const before = readFileSync(file);
      write(folder, "runs/toy/report.html", "lost");
      expect(await callCli(folder, ["report", "runs/toy"])).toMatchObject({ exitCode: 0, stdout: `${file}\n` });
      expect(readFileSync(file)).toEqual(before);
    });

    it("is bad input where there is no run, or its files are not what fedmkt wrote", async () => {
      expect((await callCli(folder, ["status", "models"])).exitCode).toBe(2);
      expect((await callCli(folder, ["report", "models"])).exitCode).toBe(2);
      write(folder, "runs/toy/run.json", '{"version":2}');
      expect(await callCli(folder, ["status", "runs/toy"])).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining("run.json"),
      });
    });

    it("goes on past a run whose files are broken", async () => {
      await callCli(folder, ["run", "--local", "run.yaml"], { runLocally: succeedingRunner() });
      write(folder, "runs/broken/run.json", '{"version":2}');
      const { exitCode, stdout } = await callCli(folder, ["status"]);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/^runs\/broken: unreadable\n {2}InvalidInputError: .*run\.json/);
      expect(stdout).toContain("toy: succeeded");
      expect(JSON.parse((await callCli(folder, ["status", "--json"])).stdout).data).toMatchObject([
        { standing: "unreadable", folder: join(folder, "runs/broken") },
        { standing: "succeeded" },
      ]);
    });
  });

  describe("doctor", () => {
    it("passes a machine that can run, and fails one whose engine does not load", async () => {
      const good = await callCli(folder, ["doctor"]);
      expect(good).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("This machine can run federations.") });
      const bad = await callCli(folder, ["doctor", "--json"], {
        loadEngine: () => Promise.reject(new Error("no binding")),
      });
      expect(bad.exitCode).toBe(1);
      expect(JSON.parse(bad.stdout).data).toMatchObject({
        ok: false,
        checks: expect.arrayContaining([
          { name: "engine", ok: false, found: "not so: onnxruntime loads: no binding" },
          { name: "cache", ok: true, found: expect.stringContaining(".cache is writable") },
          { name: "GPU", ok: expect.any(Boolean), isOptional: true, found: expect.stringMatching(/CUDA|GPU/) },
          { name: "loopback", ok: true, found: "a port on 127.0.0.1 can be opened" },
        ]),
      });
    });
  });
});
