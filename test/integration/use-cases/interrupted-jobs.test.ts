import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { artefactKeys, CHECKPOINT } from "../../../shared/src/contracts/keys.ts";
import type { ProgressEvent } from "../../../shared/src/contracts/progress.ts";
import { TransientError } from "../../../shared/src/core/errors.ts";
import { readTrainingState, writeTrainingState } from "../../../shared/src/formats/training-state.ts";
import { clientTrain } from "../../../shared/src/use-cases/client-train.ts";
import type { WorkerDependencies } from "../../../shared/src/use-cases/dependencies.ts";
import { finishedJob } from "../../../shared/src/use-cases/job-outputs.ts";
import { runBaseline } from "../../../shared/src/use-cases/run-baseline.ts";
import { type StageRun, stageRun } from "../../support/run-stages.ts";
import { plan } from "../../support/stage-order.ts";
import { type TinySpec, writeTinyFederation } from "../../support/tiny-federation.ts";
import { withGate, withRate } from "../../support/validation-sets.ts";

let folder: string;
let spec: TinySpec;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fedmkt-interrupted-"));
  spec = writeTinyFederation(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const TRAIN = artefactKeys.job("tiny", 1, "client-train", "ships");
const SERVER_BASELINE = artefactKeys.baseline("tiny", "server", "public-only");
const BASELINE = artefactKeys.baseline("tiny", "ships", "standalone+public");

const trainShips = (deps: WorkerDependencies) => clientTrain(deps)({ run: "tiny", round: 1, party: "ships" });
const publicOnly = (deps: WorkerDependencies) =>
  runBaseline(deps)({ run: "tiny", party: "server", baseline: "public-only" });
const standalone = (deps: WorkerDependencies) =>
  runBaseline(deps)({ run: "tiny", party: "ships", baseline: "standalone+public" });

/** A worker of its own at the same stores: what it said and warned of, and how to stop it. */
function workerAt(run: StageRun, more: Partial<WorkerDependencies> = {}) {
  const progress: ProgressEvent[] = [];
  const warnings: { message: string; code?: unknown }[] = [];
  const stop = new AbortController();
  const holds = { open: 0 };
  const deps: WorkerDependencies = {
    ...run.deps,
    progress: (event) => progress.push(event),
    warn: (message, { code }) => warnings.push({ message, code }),
    interruption: {
      signal: stop.signal,
      hold: () => {
        holds.open++;
        return () => holds.open--;
      },
    },
    ...more,
  };
  const steps = () => progress.filter(({ phase }) => phase === "training").map(({ step, round }) => `${round}.${step}`);
  const interrupt = () => stop.abort(new TransientError("WORKER_STOPPED", "the worker was stopped by SIGTERM"));
  return { deps, progress, warnings, steps, holds, interrupt };
}

const KEPT_MEANWHILE = new RegExp(`/(${CHECKPOINT}|kept-adapter\\.[0-9a-f]+\\.safetensors)$`);

/** All that a job leaves, by key: without what is only there while it is under way. */
async function outputsOf({ objects }: StageRun, job: string): Promise<Record<string, string>> {
  const keys = (await objects.list("artefacts", `${job}/`)).filter((key) => !KEPT_MEANWHILE.test(key));
  const contents = keys.map(async (key) => [
    key,
    Buffer.from(await objects.get("artefacts", key, 1e9)).toString("base64"),
  ]);
  return Object.fromEntries(await Promise.all(contents));
}

/** What an undisturbed worker makes of the job. */
async function undisturbed(job: string, work: (deps: WorkerDependencies) => Promise<unknown>, given = spec) {
  const run = stageRun();
  await plan(run, given);
  const worker = workerAt(run);
  await work(worker.deps);
  return { outputs: await outputsOf(run, job), steps: worker.steps(), checkpoints: await checkpointsIn(run) };
}

const checkpointsIn = async ({ objects }: StageRun) =>
  (await objects.list("artefacts", "runs/")).filter((key) => key.endsWith(CHECKPOINT));

/** Works until it has told of so many training steps, and is stopped there. */
async function interruptedAfter(run: StageRun, steps: number, work: (deps: WorkerDependencies) => Promise<unknown>) {
  const worker = workerAt(run);
  const progress = (event: ProgressEvent) => {
    worker.progress.push(event);
    if (event.phase === "training" && worker.steps().length === steps) worker.interrupt();
  };
  await expect(work({ ...worker.deps, progress })).rejects.toMatchObject({ code: "WORKER_STOPPED" });
  expect(worker.holds.open).toBe(0);
  return worker;
}

/** A gate under which some rounds count and others are undone. */
const gated = () => {
  const mixed = { ...withGate(folder, spec), rounds: 4 };
  return ["server", "ships"].reduce((given, party) => withRate(given, party, 0.5), mixed);
};

describe.each([
  ["a client's training", TRAIN, trainShips, () => spec],
  ["a baseline of several rounds and phases", BASELINE, standalone, () => spec],
  ["a client's training before a gate", TRAIN, trainShips, gated],
  ["a client's baseline with a gate", BASELINE, standalone, gated],
  ["the server's baseline with a gate", SERVER_BASELINE, publicOnly, gated],
])("%s that was stopped", (_, job, work, specOf) => {
  it("after any step is taken up there by another worker, and ends in the same outputs", async () => {
    const whole = await undisturbed(job, work, specOf());
    expect(whole.steps.length).toBeGreaterThanOrEqual(2);
    for (let steps = 1; steps <= whole.steps.length; steps++) {
      const run = stageRun();
      await plan(run, specOf());
      await interruptedAfter(run, steps, work);
      expect(await outputsOf(run, job)).toEqual({});
      const next = workerAt(run);
      await work(next.deps);
      const again = next.steps();
      // it was stopped at the latest by the step after the one that was told of
      expect(again).toEqual(whole.steps.slice(whole.steps.length - again.length));
      expect(again.length).toBeLessThanOrEqual(whole.steps.length - steps);
      expect(await outputsOf(run, job)).toEqual(whole.outputs);
      expect(next.warnings).toEqual([]);
    }
  });
});

describe("a gated baseline that was stopped", () => {
  /** Stopped where a round counts already, so that the next one, which does not, must be undone to it. */
  async function stoppedInRound(round: number) {
    const run = stageRun();
    await plan(run, gated());
    const worker = workerAt(run);
    const progress = (event: ProgressEvent) => {
      if (event.phase === "training" && event.round === round) worker.interrupt();
    };
    await expect(publicOnly({ ...worker.deps, progress })).rejects.toMatchObject({ code: "WORKER_STOPPED" });
    const kept = (await run.objects.list("artefacts", `${SERVER_BASELINE}/`)).filter((key) => /kept-adapter/.test(key));
    return { run, kept };
  }

  it("has rounds that count and rounds that were undone, or its tests would say little", async () => {
    for (const [job, work] of [
      [BASELINE, standalone],
      [SERVER_BASELINE, publicOnly],
    ] as const) {
      const run = stageRun();
      await plan(run, gated());
      await work(run.deps);
      const { undoneRounds } = (await finishedJob(run.deps, job))!.metrics;
      expect(undoneRounds).toBeGreaterThan(0);
      expect(undoneRounds).toBeLessThan(4);
    }
  });

  it("leaves the adapter that a round is undone to beside its checkpoint, once", async () => {
    expect((await stoppedInRound(1)).kept).toEqual([]);
    expect((await stoppedInRound(4)).kept).toHaveLength(1);
  });

  it.each([
    ["lost", null],
    ["changed", new Uint8Array(3)],
  ])("begins anew where that adapter is %s", async (_, bytes) => {
    const whole = await undisturbed(SERVER_BASELINE, publicOnly, gated());
    const { run, kept } = await stoppedInRound(4);
    const head = run.objects.head.bind(run.objects);
    if (bytes) await run.objects.put("artefacts", kept[0], bytes);
    else run.objects.head = async (bucket, key) => (key === kept[0] ? null : head(bucket, key));
    const next = workerAt(run);
    await publicOnly(next.deps);
    expect(next.warnings).toEqual([{ message: "checkpoint refused: the job begins anew", code: "CHECKPOINT_INVALID" }]);
    expect(await outputsOf(run, SERVER_BASELINE)).toEqual(whole.outputs);
  });

  it.each([
    ["a finding where a phase is due", [{ phase: "round 1 private", bitsPerByte: 1, undone: false, adapter: null }]],
    ["a phase where a finding is due", [{ phase: "before the first round", steps: 1, loss: 1 }]],
  ])("begins anew where its checkpoint tells of %s", async (_, finished) => {
    const [job, work] = finished[0].phase.startsWith("before") ? [BASELINE, standalone] : [TRAIN, trainShips];
    const run = stageRun();
    await plan(run, gated());
    await interruptedAfter(run, 1, work);
    const key = `${job}/${CHECKPOINT}`;
    const state = readTrainingState(await run.objects.get("artefacts", key, 1e9), "state");
    const note = JSON.stringify({ phase: "round 1 public", finished });
    await run.objects.put("artefacts", key, writeTrainingState({ ...state, note }));
    const next = workerAt(run);
    await work(next.deps);
    expect(next.warnings.map(({ code }) => code)).toEqual(["CHECKPOINT_INVALID"]);
    expect(await outputsOf(run, job)).toMatchObject((await undisturbed(job, work, gated())).outputs);
  });
});

describe("a job under way", () => {
  it("writes its training down as often as it is told to", async () => {
    const run = stageRun();
    await plan(run, spec);
    let nowMs = 0;
    const saved: number[] = [];
    const put = run.objects.put.bind(run.objects);
    run.objects.put = async (bucket, key, body) => {
      if (key === `${TRAIN}/${CHECKPOINT}`) saved.push(nowMs);
      return put(bucket, key, body);
    };
    // the clock is read twice for a question and its answer
    const worker = workerAt(run, { checkpoints: { everyMs: 300, nowMs: () => (nowMs += 100) } });
    await trainShips(worker.deps);
    expect(saved.length).toBeGreaterThanOrEqual(1);
    saved.reduce((before, at) => {
      expect(at - before).toBeGreaterThanOrEqual(300);
      return at;
    }, 0);
    expect(await outputsOf(run, TRAIN)).toEqual((await undisturbed(TRAIN, trainShips)).outputs);
  });

  it("writes nothing down before that", async () => {
    expect((await undisturbed(TRAIN, trainShips)).checkpoints).toEqual([]);
  });

  it("goes on where its checkpoint cannot be written, and says so", async () => {
    const run = stageRun();
    await plan(run, spec);
    const put = run.objects.put.bind(run.objects);
    run.objects.put = async (bucket, key, body) => {
      if (key.endsWith(CHECKPOINT)) throw new TransientError("AWS_UNAVAILABLE", "s3: SlowDown");
      return put(bucket, key, body);
    };
    const worker = workerAt(run, { checkpoints: { everyMs: 0, nowMs: () => 0 } });
    await trainShips(worker.deps);
    expect(new Set(worker.warnings.map(({ message }) => message))).toEqual(
      new Set(["checkpoint could not be written"]),
    );
    expect(await outputsOf(run, TRAIN)).toEqual((await undisturbed(TRAIN, trainShips)).outputs);
  });

  it.each(["extracting", "scoring"] as const)(
    "is cut off while it is %s, since nothing there can be kept",
    async (phase) => {
      const run = stageRun();
      await plan(run, spec);
      const worker = workerAt(run);
      const progress = (event: ProgressEvent) => {
        if (event.phase === phase) worker.interrupt();
      };
      const work = phase === "extracting" ? trainShips : standalone;
      await expect(work({ ...worker.deps, progress })).rejects.toMatchObject({ code: "WORKER_STOPPED" });
      expect((await run.objects.list("artefacts", "runs/")).filter((key) => key.endsWith("manifest.json"))).toEqual([]);
    },
  );

  it("does not begin once it is to stop", async () => {
    const run = stageRun();
    await plan(run, spec);
    const worker = workerAt(run);
    worker.interrupt();
    await expect(trainShips(worker.deps)).rejects.toMatchObject({ code: "WORKER_STOPPED" });
    expect(worker.steps()).toEqual([]);
  });
});

describe("a checkpoint that is of no use", () => {
  type Spoil = (bytes: Uint8Array) => Uint8Array;
  const changed =
    (change: (state: ReturnType<typeof readTrainingState>) => object): Spoil =>
    (bytes) => {
      const state = readTrainingState(bytes, "state");
      return writeTrainingState({ ...state, ...change(state) });
    };
  const noted = (note: unknown) => changed(() => ({ note: JSON.stringify(note) }));
  const finished = [{ phase: "round 1 private", steps: 2, loss: 1 }];

  it.each<[string, string, Spoil]>([
    ["no safetensors file at all", "CHECKPOINT_INVALID", () => new TextEncoder().encode("not a checkpoint")],
    ["cut off", "CHECKPOINT_INVALID", (bytes) => bytes.slice(0, bytes.length - 5)],
    ["empty", "CHECKPOINT_INVALID", () => new Uint8Array()],
    ["without a note", "CHECKPOINT_INVALID", changed(() => ({ note: "" }))],
    ["with a note of another form", "CHECKPOINT_INVALID", noted({ phase: 3 })],
    ["with NaN among its values", "CHECKPOINT_INVALID", changed(({ values }) => ({ values: values.fill(Number.NaN) }))],
    ["of another training", "CHECKPOINT_FOREIGN", changed(() => ({ belongsTo: "a".repeat(64) }))],
    ["of a phase that the job does not have", "CHECKPOINT_INVALID", noted({ phase: "round 9 private", finished: [] })],
    ["of a phase after the job's last", "CHECKPOINT_INVALID", noted({ phase: "round 2 private", finished })],
  ])("since it is %s is reported and left aside: the job begins anew", async (_, code, spoil) => {
    const whole = await undisturbed(TRAIN, trainShips);
    const run = stageRun();
    await plan(run, spec);
    await interruptedAfter(run, 1, trainShips);
    const key = `${TRAIN}/${CHECKPOINT}`;
    await run.objects.put("artefacts", key, spoil(await run.objects.get("artefacts", key, 1e9)));
    const next = workerAt(run);
    await trainShips(next.deps);
    expect(next.warnings).toEqual([{ message: "checkpoint refused: the job begins anew", code }]);
    expect(next.steps()).toEqual(whole.steps);
    // what the first try had written stays, but no manifest lists it
    expect(await outputsOf(run, TRAIN)).toMatchObject(whole.outputs);
  });

  it("does not keep a store's trouble from being told: the job is tried again later", async () => {
    const run = stageRun();
    await plan(run, spec);
    await interruptedAfter(run, 1, trainShips);
    const get = run.objects.get.bind(run.objects);
    run.objects.get = async (bucket, key, maxBytes) => {
      if (key.endsWith(CHECKPOINT)) throw new TransientError("AWS_UNAVAILABLE", "s3: SlowDown");
      return get(bucket, key, maxBytes);
    };
    await expect(trainShips(workerAt(run).deps)).rejects.toMatchObject({ code: "AWS_UNAVAILABLE" });
  });
});
