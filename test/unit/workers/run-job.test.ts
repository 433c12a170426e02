import { describe, expect, it } from "@jest/globals";
import { parseJob } from "../../../gpu-workers/src/parse-job.ts";
import { type RunJob, runJob } from "../../../gpu-workers/src/run-job.ts";
import { WORKER_USE_CASES, type WorkerUseCases } from "../../../gpu-workers/src/stages.ts";
import { codeOfJobFailure } from "../../../shared/src/contracts/job-failure.ts";
import { STAGES, type StageName } from "../../../shared/src/contracts/stages.ts";
import { InvalidInputError, TransientError } from "../../../shared/src/core/errors.ts";
import type { Interruption } from "../../../shared/src/ports/interruption.ts";
import { RecordingCallback } from "../../support/recording-callback.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const TOKEN = "AQCE-token";
const JOB = { stage: "client-train", run: "harbour-and-forest", round: 2, party: "harbour" };
const STOPPED = new TransientError("WORKER_STOPPED", "the worker was stopped by SIGTERM");
const ANSWERED_STOP = {
  token: TOKEN,
  error: { name: "TransientError", cause: `${STOPPED.message} [WORKER_STOPPED: round 2, client-train, harbour]` },
};
const never = () => new Promise<never>(() => undefined);

type Work = (stage: string, input: unknown, interruption: Interruption) => Promise<unknown>;

/** Use cases that all do the same. */
function useCasesOf(work: Work): WorkerUseCases<{ interruption: Interruption }> {
  const stages = Object.keys(WORKER_USE_CASES);
  const useCase = (stage: string) => (deps: { interruption: Interruption }) => (input: unknown) =>
    work(stage, input, deps.interruption);
  return Object.fromEntries(stages.map((stage) => [stage, useCase(stage)])) as never;
}

function prepare(options: Partial<RunJob<object>> & { work?: Work; json?: string } = {}) {
  const callback = new RecordingCallback();
  const logger = new RecordingLogger();
  const used: { job: object; seconds: number; answers: number }[] = [];
  const stop = new AbortController();
  const giveUp = new AbortController();
  const { work = async () => ({ manifest: "m" }), json = JSON.stringify(JOB), ...rest } = options;
  const run = async () => {
    const { outcome } = await runJob({
      job: () => parseJob(json),
      token: TOKEN,
      heartbeatSeconds: 0.03,
      deps: {},
      useCases: useCasesOf(work),
      callback,
      logger: logger as never,
      recordUsage: async (job, seconds) => void used.push({ job, seconds, answers: callback.answers.length }),
      stopping: stop.signal,
      gaveUp: giveUp.signal,
      answersStop: true,
      ...rest,
    });
    return outcome;
  };
  return { callback, logger, used, run, stop: () => stop.abort(STOPPED), giveUp: () => giveUp.abort(STOPPED) };
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
  ])("tells the state %s with its name, message, code and job", async (error) => {
    const { run, callback } = prepare({
      work: async () => {
        throw error;
      },
    });
    expect(await run()).toBe("failed");
    const cause = `${error.message} [${error.code}: round 2, client-train, harbour]`;
    expect(callback.answers).toEqual([{ token: TOKEN, error: { name: error.name, cause } }]);
    expect(codeOfJobFailure(cause)).toBe(error.code);
  });

  it.each([
    ["no JSON", "{", /FEDMKT_JOB: expected JSON/],
    ["a stage that no worker hosts", JSON.stringify({ ...JOB, stage: "plan-run" }), /stage/],
    ["a party that is no identifier", JSON.stringify({ ...JOB, party: "../x" }), /party/],
    ["a field too many", JSON.stringify({ ...JOB, rank: 8 }), /rank/],
  ])("of %s fails its token with one clear error", async (_, job, message) => {
    const { run, callback } = prepare({ json: job });
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
    const { run, callback, stop } = prepare({ work: never });
    setTimeout(stop, 20);
    expect(await run()).toBe("failed");
    expect(callback.answers).toEqual([ANSWERED_STOP]);
  });

  it("is handed back at once where the machine was to be left before it began", async () => {
    const { run, callback, stop } = prepare({ work: never });
    stop();
    expect(await run()).toBe("failed");
    expect(callback.answers).toEqual([ANSWERED_STOP]);
  });

  it("is given the time that it asks for to put itself down, and a heartbeat beforehand", async () => {
    const done: string[] = [];
    const { run, callback, stop } = prepare({
      heartbeatSeconds: 60,
      work: async (_, __, { signal, hold }) => {
        const release = hold();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        await new Promise((resolve) => setTimeout(resolve, 50));
        done.push(`saved after ${callback.answers.length} answers`);
        release();
        return never();
      },
    });
    setTimeout(stop, 20);
    expect(await run()).toBe("failed");
    expect(done).toEqual(["saved after 0 answers"]);
    expect(callback.answers).toEqual([ANSWERED_STOP]);
    expect(callback.beats).toHaveLength(2);
  });

  it("is handed back without that once there is no time left", async () => {
    const { run, callback, stop, giveUp } = prepare({
      work: (_, __, { hold }) => {
        hold();
        return never();
      },
    });
    setTimeout(stop, 10);
    setTimeout(giveUp, 40);
    expect(await run()).toBe("failed");
    expect(callback.answers).toEqual([ANSWERED_STOP]);
  });

  it("is left without an answer where its message goes to another worker", async () => {
    const { run, callback, stop } = prepare({ work: never, answersStop: false });
    setTimeout(stop, 10);
    expect(await run()).toBe("stopped");
    expect(callback.answers).toEqual([]);
  });

  it("that nobody waits for is told to stop, and is over only when it has", async () => {
    let heard: unknown = null;
    const { callback, ...prepared } = prepare();
    callback.gone.add(TOKEN);
    const useCases = useCasesOf(async (_, __, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      await new Promise((resolve) => setTimeout(resolve, 20));
      heard = signal.reason;
      throw signal.reason;
    });
    const { outcome, settled } = await runJob({
      job: () => parseJob(JSON.stringify(JOB)),
      token: TOKEN,
      heartbeatSeconds: 0.03,
      deps: {},
      useCases,
      callback,
      logger: prepared.logger as never,
      recordUsage: async () => undefined,
      stopping: new AbortController().signal,
      gaveUp: new AbortController().signal,
      answersStop: false,
    });
    expect([outcome, heard]).toEqual(["gone", null]);
    await settled;
    expect(heard).toMatchObject({ name: "TransientError", code: "TOKEN_GONE" });
  });

  it.each<[string, Work]>([
    ["done", async () => ({ manifest: "m" })],
    ["failed", () => Promise.reject(new InvalidInputError("OBJECT_MISSING", "none"))],
  ])("that is %s has what it used written down before its answer", async (_, work) => {
    const { run, used } = prepare({ work });
    await run();
    expect(used).toEqual([{ job: JOB, seconds: expect.any(Number), answers: 0 }]);
  });

  it("that is none uses nothing", async () => {
    const { run, used } = prepare({ json: "{}" });
    await run();
    expect(used).toEqual([]);
  });

  it("answers all the same where what it used cannot be written, or not soon", async () => {
    for (const recordUsage of [() => Promise.reject(new TransientError("AWS_UNAVAILABLE", "s3: SlowDown")), never]) {
      const { run, callback } = prepare({ recordUsage });
      expect(await run()).toBe("succeeded");
      expect(callback.answers).toHaveLength(1);
    }
  });
});
