import { describe, expect, it } from "@jest/globals";
import { type RunJob, runJob } from "../../../gpu-workers/src/run-job.ts";
import { WORKER_USE_CASES, type WorkerUseCases } from "../../../gpu-workers/src/stages.ts";
import { STAGES, type StageName } from "../../../shared/src/contracts/stages.ts";
import { InvalidInputError, TransientError } from "../../../shared/src/core/errors.ts";
import { RecordingCallback } from "../../support/recording-callback.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const TOKEN = "AQCE-token";
const JOB = { stage: "client-train", run: "harbour-and-forest", round: 2, party: "harbour" };
const never = () => new Promise<never>(() => undefined);

/** Use cases that all do the same. */
function useCasesOf(work: (stage: string, input: unknown) => Promise<unknown>): WorkerUseCases<object> {
  const stages = Object.keys(WORKER_USE_CASES);
  return Object.fromEntries(stages.map((stage) => [stage, () => (input: unknown) => work(stage, input)])) as never;
}

function prepare(options: Partial<RunJob<object>> & { work?: Parameters<typeof useCasesOf>[0] } = {}) {
  const callback = new RecordingCallback();
  const logger = new RecordingLogger();
  const { work = async () => ({ manifest: "m" }), ...rest } = options;
  const run = () =>
    runJob({
      job: JSON.stringify(JOB),
      token: TOKEN,
      heartbeatSeconds: 0.03,
      deps: {},
      useCases: useCasesOf(work),
      callback,
      logger: logger as never,
      signal: new AbortController().signal,
      ...rest,
    });
  return { callback, logger, run };
}

describe("the worker's stages", () => {
  it("are those of the table that a worker hosts", () => {
    const hosted = Object.keys(STAGES).filter((stage) => STAGES[stage as StageName].host === "worker");
    expect(Object.keys(WORKER_USE_CASES).sort()).toEqual(hosted.sort());
  });
});

describe("a worker's job", () => {
  it("goes to the use case of its stage with the input alone, and answers its token", async () => {
    const seen: unknown[] = [];
    const { run, callback } = prepare({
      work: async (stage, input) => {
        seen.push([stage, input]);
        return { manifest: "runs/a/manifest.json" };
      },
    });
    expect(await run()).toBe("succeeded");
    const { stage, ...input } = JOB;
    expect(seen).toEqual([[stage, input]]);
    expect(callback.answers).toEqual([{ token: TOKEN, output: { manifest: "runs/a/manifest.json" } }]);
  });

  it("sends heartbeats at once and several times in the time that the state allows", async () => {
    const { run, callback } = prepare({
      work: async () => {
        await new Promise((resolve) => setTimeout(resolve, 100));
        return { manifest: "m" };
      },
    });
    await run();
    expect(callback.beats.length).toBeGreaterThanOrEqual(3);
    const beats = callback.beats.length;
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(callback.beats).toHaveLength(beats);
  });

  it.each([
    new InvalidInputError("OBJECT_MISSING", "client harbour: model.safetensors missing"),
    new TransientError("AWS_UNAVAILABLE", "s3://a/b: SlowDown"),
  ])("tells the state %s with its name and message", async (error) => {
    const { run, callback } = prepare({
      work: async () => {
        throw error;
      },
    });
    expect(await run()).toBe("failed");
    expect(callback.answers).toEqual([{ token: TOKEN, error: { name: error.name, cause: error.message } }]);
  });

  it.each([
    ["no JSON", "{", /FEDMKT_JOB: expected JSON/],
    ["a stage that no worker hosts", JSON.stringify({ ...JOB, stage: "plan-run" }), /stage/],
    ["a party that is no identifier", JSON.stringify({ ...JOB, party: "../x" }), /party/],
    ["a field too many", JSON.stringify({ ...JOB, rank: 8 }), /rank/],
  ])("of %s fails its token with one clear error", async (_, job, message) => {
    const { run, callback } = prepare({ job });
    expect(await run()).toBe("failed");
    expect(callback.answers).toEqual([
      { token: TOKEN, error: { name: "InvalidInputError", cause: expect.stringMatching(message) } },
    ]);
  });

  it("with an output that breaks the contract is a bug of ours", async () => {
    const { run, callback } = prepare({ work: async () => ({ manifests: 3 }) });
    expect(await run()).toBe("failed");
    expect(callback.answers).toMatchObject([{ error: { name: "InvariantError" } }]);
  });

  it("is given up without an answer once nobody waits for it", async () => {
    const { run, callback } = prepare({ work: never });
    callback.gone.add(TOKEN);
    expect(await run()).toBe("gone");
    expect(callback.answers).toEqual([]);
  });

  it("goes on when a heartbeat does not get through", async () => {
    const { run, callback, logger } = prepare({
      work: async () => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        return { manifest: "m" };
      },
    });
    callback.heartbeat = async () => {
      throw new TransientError("AWS_UNAVAILABLE", "states: connection reset");
    };
    expect(await run()).toBe("succeeded");
    expect(logger.lines.some(({ level, message }) => level === "WARN" && message === "heartbeat failed")).toBe(true);
  });

  it("is handed back as a TransientError when the machine is taken away, so that another takes it up", async () => {
    const interruption = new AbortController();
    const { run, callback } = prepare({ work: never, signal: interruption.signal });
    setTimeout(() => interruption.abort(new TransientError("WORKER_STOPPED", "the worker was stopped by SIGTERM")), 20);
    expect(await run()).toBe("failed");
    expect(callback.answers).toEqual([
      { token: TOKEN, error: { name: "TransientError", cause: "the worker was stopped by SIGTERM" } },
    ]);
  });
});
