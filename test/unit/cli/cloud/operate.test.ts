import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { describeProgress, findProgress } from "../../../../cli/src/cloud/describe-progress.ts";
import { encodeJson } from "../../../../shared/src/contracts/json-document.ts";
import { artefactKeys, controlKeys, registryKeys } from "../../../../shared/src/contracts/keys.ts";
import { callCli, makeToyFolder, remove, succeedingRunner, write } from "../../../support/cli.ts";
import { CLOUD_SPEC } from "../../../support/cloud-spec.ts";
import { executionArn, FakeCloud } from "../../../support/fake-cloud.ts";
import { SUMMARY } from "../../../support/summary.ts";
import { toyPlan } from "../../../support/toy-plan.ts";

const YAML = new TextEncoder().encode(CLOUD_SPEC);

const manifest = (folder: string) => `${folder}/manifest.json`;
const job = (round: number, stage: string, party: string) => manifest(artefactKeys.job("toy", round, stage, party));

describe("operating runs in a deployment", () => {
  let folder: string;
  let cloud: FakeCloud;
  const call = (argv: readonly string[], options: Parameters<typeof callCli>[2] = {}) =>
    callCli(folder, argv, { openCloud: async () => cloud, ...options });
  const putPlan = (budget?: { dollars: number }) =>
    cloud.objects.put(cloud.bucket("control"), controlKeys.plan("toy"), encodeJson(toyPlan(budget)));
  const finish = (key: string) => cloud.objects.put(cloud.bucket("artefacts"), key, new Uint8Array([1]));

  beforeEach(() => {
    folder = makeToyFolder();
    cloud = new FakeCloud();
  });
  afterEach(() => remove(folder));

  describe("list", () => {
    it("shows this machine's runs, or a deployment's, youngest first", async () => {
      expect((await call(["list"])).stdout).toContain("no runs in runs/");
      await callCli(folder, ["run", "--local", "run.yaml"], { runLocally: succeedingRunner() });
      expect((await call(["list"])).stdout).toBe("toy: succeeded (runs/toy)\n");
      expect((await call(["list", "--environment", "dev"])).stdout).toBe("no runs in dev\n");
      const id = await cloud.addRun("old", YAML, "FAILED", { error: "TransientError", cause: "x" });
      const young = await cloud.addRun("young", YAML, "RUNNING");
      cloud.addExecution(young, { startedMs: Date.parse("2026-03-12T09:41:16Z") });
      await cloud.objects.put(cloud.bucket("control"), controlKeys.spec("waits"), YAML);
      expect((await call(["list", "--environment", "dev"])).stdout.split("\n")).toEqual([
        "young: running, began 2026-03-12 09:41 UTC",
        "old: failed, began 1970-01-01 00:00 UTC, TransientError",
        "waits: waiting",
        "",
      ]);
      const { data } = JSON.parse((await call(["status", "--environment", "dev", "--json"])).stdout);
      expect(data[1]).toMatchObject({ run: "old", standing: "failed", execution: id });
    });
  });

  describe("status", () => {
    it("tells how far a run is, who waits at a site's queue, and what it has cost of its budget", async () => {
      await cloud.addRun("toy", YAML, "RUNNING");
      expect((await call(["status", "toy"])).stdout).toContain("toy: running (dev)\n  0 s so far");
      await putPlan({ dollars: 10 });
      await finish(manifest(artefactKeys.baseline("toy", "ward", "zero-shot")));
      await finish(job(1, "client-train", "harbour"));
      cloud.counts["fedmkt-dev-party-ward"] = { waiting: 1, taken: 0 };
      const usage = { version: 1, run: "toy", round: 1, stage: "client-train", party: "harbour", seconds: 3600 };
      await cloud.objects.put(
        cloud.bucket("artefacts"),
        artefactKeys.usage("toy", "harbour", "a"),
        encodeJson({ ...usage, instanceType: "g5.xlarge", spot: false }),
      );
      const { stdout } = await call(["status", "toy"], { nowMs: () => 3_700_000 });
      expect(stdout.split("\n")).toEqual([
        "toy: running (dev)",
        "  round 1 of 2: client-train, 1 of 2 jobs done, not yet ward",
        "  ward's queue: 1 waiting, 0 taken",
        "  workers have cost about $1.01 of a budget of $10.00",
        "  1 h 1 min so far",
        `  execution ${executionArn(cloud.names.runMachine, "toy-1")}`,
        "",
      ]);
    });

    it("says whose selection picked nothing in the last round that has closed, and why", async () => {
      await cloud.addRun("toy", YAML, "RUNNING");
      await putPlan();
      const count = { ...SUMMARY.selections[0], bySource: { harbour: 0, ward: 0 }, none: 120 };
      const closed = { round: 1, stopped: null, scores: [], transfers: [], selections: [count], training: [] };
      await cloud.objects.put(cloud.bucket("artefacts"), artefactKeys.roundSummary("toy", 1), encodeJson(closed));
      expect((await call(["status", "toy"])).stdout).toContain(
        "\n  round 1: server learned nothing from others: on none of 120 public samples was anyone better by enough",
      );
    });

    it("names the failure and the way on", async () => {
      await cloud.addRun("toy", YAML, "FAILED", { error: "TransientError", cause: "a machine was lost" });
      const { exitCode, stdout } = await call(["status", "toy"]);
      expect(exitCode).toBe(0);
      expect(stdout).toContain("toy: failed (dev)\n  TransientError: a machine was lost\n");
      expect(stdout).toContain("fedmkt resume toy --environment dev goes on where it stopped");
    });

    it("does not call a run failed that somebody stopped", async () => {
      await cloud.addRun("toy", YAML, "FAILED", { error: "ABORTED", cause: "the execution was stopped" });
      const { stdout } = await call(["status", "toy"]);
      expect(stdout).toContain("toy: stopped (dev)\n");
      expect(stdout).not.toContain("ABORTED");
      expect(stdout).toContain("fedmkt resume toy");
      expect((await call(["list", "--environment", "dev"])).stdout).toMatch(/^toy: stopped(?!.*ABORTED)/);
    });

    it("takes what is a folder here for that, and a name that nobody knows for a mistake", async () => {
      write(folder, "toy/x", "");
      expect((await call(["status", "toy"])).stderr).toContain("toy: expected a run's folder");
      expect((await call(["status", "./other"])).stderr).toContain("./other: expected a run's folder");
      expect((await call(["status", "other"])).stderr).toContain("dev: expected a run named other");
      expect((await call(["status", "No Name", "--environment", "dev"])).exitCode).toBe(2);
    });
  });

  it("finds the stage that is under way by what is committed", async () => {
    const done = new Set<string>();
    const at = () => findProgress(toyPlan(), done);
    expect(at()).toMatchObject({ round: 0, stage: "run-baseline", open: ["ward (zero-shot)"] });
    done.add(manifest(artefactKeys.baseline("toy", "ward", "zero-shot")));
    for (const id of ["harbour", "ward"]) done.add(job(1, "client-train", id));
    expect(at()).toMatchObject({ round: 1, stage: "server-extract", open: ["server"] });
    done.add(job(1, "server-extract", "server"));
    expect(at()).toMatchObject({ stage: "align-shard", of: 2, open: ["harbour → server", "ward → server"] });
    for (const id of ["harbour", "ward"]) {
      done.add(manifest(artefactKeys.aligned("toy", 1, id, "server", 0)));
      done.add(manifest(artefactKeys.aligned("toy", 1, "server", id, 0)));
      done.add(job(1, "client-distil", id));
    }
    expect(at()).toMatchObject({ stage: "select-knowledge" });
    done.add(artefactKeys.selection("toy", 1, "server"));
    expect(at()).toMatchObject({ stage: "server-distil" });
    done.add(job(1, "server-distil", "server"));
    for (const id of ["server", "harbour", "ward"]) done.add(job(1, "evaluate", id));
    expect(at()).toMatchObject({ stage: "close-round" });
    done.add(artefactKeys.roundSummary("toy", 1));
    expect(at()).toMatchObject({ round: 2, stage: "client-train", done: 0, of: 2 });
  });

  it("finds variants after the run's own rounds, and passes over what they share and who is not there", async () => {
    const plan = toyPlan();
    const changed = {
      ...plan,
      spec: {
        ...plan.spec,
        rounds: 2,
        clients: plan.spec.clients.map((client, index) => ({ ...client, joinsAtRound: index + 1 })),
      },
      machine: { ...plan.machine, variants: ["fedavg" as const] },
    };
    const done = new Set<string>();
    const at = () => findProgress(changed, done);
    done.add(manifest(artefactKeys.baseline("toy", "ward", "zero-shot")));
    expect(at()).toMatchObject({ variant: null, round: 1, stage: "client-train", open: ["harbour"] });
    for (const round of [1, 2]) {
      for (const id of ["server", "harbour", "ward"]) {
        for (const stage of ["client-train", "server-extract", "server-distil", "client-distil", "evaluate"])
          done.add(job(round, stage, id));
        done.add(manifest(artefactKeys.aligned("toy", round, id, "server", 0)));
        done.add(manifest(artefactKeys.aligned("toy", round, "server", id, 0)));
      }
      done.add(artefactKeys.selection("toy", round, "server"));
      done.add(artefactKeys.roundSummary("toy", round));
    }
    expect(at()).toMatchObject({ variant: "fedavg", round: 1, stage: "client-distil", open: ["harbour"] });
    expect(describeProgress(at())).toBe("baseline fedavg, round 1 of 2: client-distil of harbour");
    done.add(manifest(artefactKeys.job("toy--fedavg", 1, "client-distil", "harbour")));
    expect(at()).toMatchObject({ variant: "fedavg", round: 1, stage: "average-adapters" });
    done.add(manifest(artefactKeys.averaged("toy--fedavg", 1)));
    expect(at()).toMatchObject({ stage: "evaluate", open: ["harbour"] });
    done.add(manifest(artefactKeys.job("toy--fedavg", 1, "evaluate", "harbour")));
    done.add(artefactKeys.roundSummary("toy--fedavg", 1));
    expect(at()).toMatchObject({ round: 2, stage: "client-train", open: ["harbour", "ward"] });
  });

  describe("logs", () => {
    const lines = () => {
      const write = (group: string, atMs: number, record: object) => {
        cloud.lines[group] = [
          ...(cloud.lines[group] ?? []),
          { atMs, stream: "s", text: JSON.stringify({ run: "toy", level: "INFO", ...record }) },
        ];
      };
      const { workerLogGroup } = cloud.names;
      const planRun = cloud.names.functionLogGroup("plan-run");
      write(planRun, 2000, { message: "stage started" });
      write(workerLogGroup, 4000, {
        message: "job failed",
        level: "ERROR",
        party: "ward",
        stage: "evaluate",
        code: "SHARD_LIE",
        error: { message: "no" },
      });
      write(workerLogGroup, 3000, { message: "job started", party: "harbour", stage: "client-train" });
      write(workerLogGroup, 3400, { message: "job started", run: "toy--fedavg", party: "ward", stage: "evaluate" });
      write(planRun, 3500, { message: "toy is another's", run: "other" });
      write(planRun, 3600, { _aws: {}, RunDollars: 1 });
    };

    it("gathers a run's lines in order of time, for people", async () => {
      await cloud.addRun("toy", YAML, "RUNNING");
      lines();
      expect((await call(["logs", "toy"])).stdout.split("\n")).toEqual([
        "00:00:02 plan-run stage started",
        "00:00:03 workers job started party=harbour stage=client-train",
        "00:00:03 workers job started party=ward stage=evaluate",
        "00:00:04 workers ERROR job failed party=ward stage=evaluate SHARD_LIE: no",
        "",
      ]);
      expect((await call(["logs", "toy", "--party", "harbour"])).stdout.split("\n")).toHaveLength(2);
      const since = await call(["logs", "toy", "--since", "2s"], { nowMs: () => 5500 });
      expect(since.stdout).toBe("00:00:04 workers ERROR job failed party=ward stage=evaluate SHARD_LIE: no\n");
      expect((await call(["logs", "toy", "--since", "1970-01-01T00:00:03.5Z"])).stdout).toBe(since.stdout);
      expect(JSON.parse((await call(["logs", "toy", "--raw"])).stdout.split("\n")[0])).toEqual({
        run: "toy",
        level: "INFO",
        message: "stage started",
      });
      expect((await call(["logs", "toy", "--since", "soon"])).exitCode).toBe(2);
    });

    it("-f goes on until the run has ended, each line once", async () => {
      await cloud.addRun("toy", YAML, "RUNNING");
      lines();
      let looks = 0;
      const wait = async () => {
        looks++;
        if (looks === 1)
          cloud.lines[cloud.names.workerLogGroup].push({
            atMs: 4000,
            stream: "t",
            text: '{"run":"toy","message":"late"}',
          });
        if (looks === 2) await cloud.setStatus({ run: "toy", status: "SUCCEEDED", execution: "e" });
      };
      const { stdout } = await call(["logs", "toy", "-f"], { wait });
      expect(stdout.trimEnd().split("\n")).toHaveLength(5);
      expect(stdout.endsWith("00:00:04 workers late\n")).toBe(true);
    });
  });

  describe("stop and resume", () => {
    it("ends the run's execution and its round's, and no other's", async () => {
      const id = await cloud.addRun("toy", YAML, "RUNNING");
      const round = executionArn(cloud.names.roundMachine, "r1");
      cloud.addExecution(round, { input: '{"run":"toy","round":1}' });
      cloud.addExecution(executionArn(cloud.names.roundMachine, "r2"), { input: '{"run":"other","round":1}' });
      expect((await call(["stop", "toy"])).stdout).toContain("run toy is stopped; fedmkt resume toy");
      expect(cloud.stopped).toEqual([id, round]);
      expect((await call(["stop", "toy"])).stderr).toContain("RUN_NOT_RUNNING");
    });

    it("--after-round leaves a wish that close-round obeys, and a resumed run does not keep", async () => {
      await cloud.addRun("toy", YAML, "RUNNING");
      expect((await call(["stop", "toy", "--after-round"])).exitCode).toBe(0);
      expect(cloud.stopped).toEqual([]);
      const wish = () => cloud.objects.head(cloud.bucket("control"), controlKeys.stop("toy"));
      expect(await wish()).not.toBeNull();
      expect((await call(["resume", "toy"])).stderr).toContain("RUN_NOT_RESUMABLE");
      await cloud.addRun("toy", YAML, "FAILED", { error: "E", cause: "c" });
      const { exitCode, stderr } = await call(["resume", "toy", "--detach"]);
      expect([exitCode, stderr]).toEqual([0, expect.stringContaining("run toy goes on in dev: arn:")]);
      expect(await wish()).toBeNull();
    });

    it("starts what was uploaded and never begun", async () => {
      await cloud.objects.put(cloud.bucket("control"), controlKeys.spec("toy"), YAML);
      expect((await call(["resume", "toy", "--detach"])).exitCode).toBe(0);
      expect(cloud.started).toHaveLength(1);
    });
  });

  describe("download", () => {
    it("fetches a finished run, again into the same folder too", async () => {
      await cloud.addRun("toy", YAML, "SUCCEEDED");
      await cloud.publish("toy", YAML);
      for (const _ of [1, 2]) expect((await call(["download", "toy", "--out", "there"])).exitCode).toBe(0);
      expect(readFileSync(join(folder, "there/adapters/ward/README.md"), "utf8")).toBe("ward README.md");
      expect(readFileSync(join(folder, "there/spec.yaml"), "utf8")).toBe(CLOUD_SPEC);
      const entry = readFileSync(join(folder, "there/adapters/ward/registry-entry.json"));
      const registered = await cloud.objects.get(cloud.bucket("registry"), registryKeys.entry("ward", "toy"), 1e6);
      expect(new Uint8Array(entry)).toEqual(registered);
    });

    it("leaves nothing where a file is not what the registry says", async () => {
      await cloud.addRun("toy", YAML, "SUCCEEDED");
      await cloud.publish("toy", YAML);
      const key = `${artefactKeys.published("toy")}/adapters/ward/adapter_model.safetensors`;
      await cloud.objects.put(cloud.bucket("artefacts"), key, new Uint8Array([1]));
      const { exitCode, stderr } = await call(["download", "toy"]);
      expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/OUTPUT_CHANGED.*expected SHA-256 [0-9a-f]{64}/)]);
      expect(existsSync(join(folder, "runs/toy"))).toBe(false);
      expect(existsSync(join(folder, "runs/toy.unfinished"))).toBe(false);
      await cloud.objects.remove(cloud.bucket("registry"), registryKeys.entry("ward", "toy"));
      expect((await call(["download", "toy"])).exitCode).not.toBe(0);
    });

    it("refuses a run.yaml that was overwritten since, and a run that is not finished", async () => {
      await cloud.addRun("toy", YAML, "SUCCEEDED");
      await cloud.publish("toy", new TextEncoder().encode("other"));
      expect((await call(["download", "toy"])).stderr).toContain("RUN_CHANGED");
      await cloud.addRun("toy", YAML, "RUNNING");
      expect((await call(["download", "toy"])).stderr).toContain(
        "RUN_UNFINISHED): run toy: expected a finished run, it is running",
      );
    });
  });
});
