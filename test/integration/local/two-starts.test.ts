import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type EmbeddedAws, startEmbeddedAws } from "../../../cli/src/local/embedded-aws.ts";
import type { RunningExecution } from "../../../cli/src/local/executions.ts";
import { type StoredObjects, storedObjects } from "../../../cli/src/local/stored-objects.ts";
import { synthesizeAssembly } from "../../../cli/src/local/synthesize.ts";
import { controlKeys } from "../../../shared/src/contracts/keys.ts";
import { sha256 } from "../../../shared/src/formats/sha256.ts";
import { specYaml, type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";

/** The synthesized machines and the real stages, started by uploads that meet each other. */
describe("starts of a run that is there already", () => {
  let folder: string;
  let spec: TinySpec;
  let aws: EmbeddedAws;
  let objects: StoredObjects;
  const started: RunningExecution[] = [];
  const lines: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "two-starts-"));
    const tiny = writeTinyFederation(folder);
    spec = { ...tiny, rounds: 1, baselines: [], evaluation: [] };
    const { folder: assembly } = await synthesizeAssembly();
    const clients = spec.clients.map(({ id }) => ({ id, compute: "ecs" as const }));
    aws = await startEmbeddedAws({
      assembly,
      folder: join(folder, "run"),
      clients,
      concurrentTasks: 2,
      onEvent: (event) => event.kind === "log" && lines.push(event.line),
    });
    aws.onStarted((execution) => started.push(execution));
    objects = storedObjects(join(folder, "run"));
  }, 120_000);
  afterAll(async () => {
    await aws?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  const upload = (run: TinySpec) => aws.upload(controlKeys.spec(run.name), specYaml(run));
  /** Uploads at the same moment and waits for the ends of the executions that it started. */
  async function uploaded(...runs: TinySpec[]): Promise<RunningExecution[]> {
    const before = started.length;
    await Promise.all(runs.map(upload));
    const executions = started.slice(before);
    expect(executions).toHaveLength(runs.length);
    await Promise.all(executions.map(({ ended }) => ended));
    return executions;
  }
  const json = (key: string) => JSON.parse(new TextDecoder().decode(objects.read(aws.control, key)));
  const statusOf = (run: string) => json(controlKeys.status(run));
  const claimsOf = (run: string) => objects.list(aws.control, controlKeys.claims(run)).map(json);
  const entered = ({ history }: RunningExecution) =>
    history.filter(({ type }) => type === "StateEntered").map(({ name }) => name);
  /** jobs of workers since the beginning: each has its log */
  const jobs = () => readdirSync(join(folder, "run/logs")).filter((name) => /^(Client|Server|Evaluate)/.test(name));
  const has = (run: string, key: string) => objects.list(aws.control, `runs/${run}/`).includes(key);
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((done) => setTimeout(done, 20));
  }

  it("let one of two at the same moment run, and do its jobs once", async () => {
    const executions = await uploaded(spec, spec);
    expect(executions.map(({ description }) => description.status)).toEqual(["SUCCEEDED", "SUCCEEDED"]);
    const [idle, busy] = executions.toSorted((a, b) => a.history.length - b.history.length);
    expect(entered(idle!).at(-1)).toBe("AlreadyTaken");
    expect(entered(busy!)).toContain("PublishRun");
    expect(entered(busy!)).not.toContain("AlreadyTaken");
    const execution = busy!.description.executionArn;
    expect(claimsOf(spec.name)).toMatchObject([{ run: spec.name, execution }]);
    expect(statusOf(spec.name)).toEqual({ run: spec.name, status: "SUCCEEDED", execution });
    const count = (job: RegExp) => jobs().filter((name) => job.test(name)).length;
    expect([count(/^ClientTrain/), count(/^ServerExtract/), count(/^ServerDistil/), count(/^ClientDistil/)]).toEqual([
      2, 1, 1, 2,
    ]);
  }, 180_000);

  it("leave a finished run as it is, by the same upload again", async () => {
    const [before, status] = [jobs(), statusOf(spec.name)];
    const [again] = await uploaded(spec);
    expect(again!.description.status).toBe("SUCCEEDED");
    expect(entered(again!).at(-1)).toBe("AlreadyTaken");
    expect(jobs()).toEqual(before);
    expect(statusOf(spec.name)).toEqual(status);
  }, 60_000);

  it("refuse another spec under a running run's name with both hashes, and the run goes on undisturbed", async () => {
    const first = { ...spec, name: "changed" };
    const other = { ...first, seed: 8 };
    await upload(first);
    const running = started.at(-1)!;
    await until(() => has(first.name, controlKeys.plan(first.name)));
    const [refused] = await uploaded(other);
    expect(refused!.description.status).toBe("FAILED");
    const hashes = [first, other].map((run) => sha256(specYaml(run)));
    for (const hash of hashes) expect(refused!.description.cause).toContain(hash);
    await aws.settled(); // fail-run was told of the refusal
    const execution = running.description.executionArn;
    expect(statusOf(first.name)).toEqual({ run: first.name, status: "RUNNING", execution });
    expect((await running.ended).status).toBe("SUCCEEDED");
    expect(statusOf(first.name)).toEqual({ run: first.name, status: "SUCCEEDED", execution });
    expect(claimsOf(first.name)).toHaveLength(1);
    expect(json(controlKeys.plan(first.name)).specHash).toBe(hashes[0]);
  }, 180_000);

  it("go on with a run that was stopped, whose tasks the rule has stopped", async () => {
    const run = { ...spec, name: "stopped" };
    await upload(run);
    const first = started.at(-1)!;
    await until(() => aws.workerProcesses().length > 0);
    first.stop("Operator", "stopped by hand");
    expect((await first.ended).status).toBe("ABORTED");
    await aws.settled();
    await until(() => aws.workerProcesses().length === 0);
    const stopped = lines.filter((line) => line.includes('"tasks stopped"')).map((line) => JSON.parse(line));
    const { tasks } = stopped.find(({ execution }) => execution === first.description.executionArn);
    expect(tasks.length).toBeGreaterThan(0);
    expect(statusOf(run.name)).toMatchObject({ status: "FAILED", error: "Operator", cause: "stopped by hand" });
    const [second] = await uploaded(run);
    expect(second!.description.status).toBe("SUCCEEDED");
    expect(entered(second!)).toContain("PublishRun");
    const [one, two] = [first, second!].map(({ description }) => description.executionArn);
    expect(claimsOf(run.name)).toMatchObject([{ execution: one }, { execution: two }]);
    expect(statusOf(run.name)).toEqual({ run: run.name, status: "SUCCEEDED", execution: two });
  }, 180_000);
});
