import type { SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { type QueueWorker, serveQueue } from "../../../gpu-workers/src/queue-worker.ts";
import { WORKER_USE_CASES } from "../../../gpu-workers/src/stages.ts";
import { SqsJobQueue } from "../../../shared/src/adapters/aws/sqs-job-queue.ts";
import { sqsClient } from "../../../shared/src/adapters/aws/sqs-message-queue.ts";
import { InvalidInputError, TransientError } from "../../../shared/src/core/errors.ts";
import type { Interruption } from "../../../shared/src/ports/interruption.ts";
import { EMBEDDED, type EmbeddedStores, startEmbeddedStores } from "../../support/embedded-stores.ts";
import { createJobQueue, type TestQueue } from "../../support/job-queues.ts";
import { RecordingCallback } from "../../support/recording-callback.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

let stores: EmbeddedStores;
let client: SQSClient;
beforeAll(async () => {
  stores = await startEmbeddedStores([]);
  client = sqsClient({ endpoint: stores.url, useQueueUrlAsEndpoint: false, maxAttempts: 1, ...EMBEDDED });
});
afterAll(async () => {
  client.destroy();
  await stores.stop();
});

const JOB = { stage: "client-train", run: "tiny", round: 1, party: "ships" };
const STOPPED = new TransientError("WORKER_STOPPED", "the worker was stopped by SIGTERM");
const message = (taskToken: string, job: object = JOB) => ({ taskToken, job });
const never = () => new Promise<never>(() => undefined);

type Work = (round: number, interruption: Interruption) => Promise<unknown>;
const done: Work = async () => ({ manifest: "m" });

let made = 0;
const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((worker) => worker.stop()));
});

async function prepare(maxReceiveCount?: number) {
  const queue = await createJobQueue(client, `ships-${made++}`, maxReceiveCount);
  return { queue, callback: new RecordingCallback(), logger: new RecordingLogger() };
}

/** A worker at a queue, until the test's end or until it is stopped. */
function start(
  { queue, callback, logger }: Awaited<ReturnType<typeof prepare>>,
  work: Work,
  more: Partial<QueueWorker> = {},
) {
  const stop = new AbortController();
  const giveUp = new AbortController();
  const useCase = (deps: { interruption: Interruption }) => (input: { round: number }) =>
    work(input.round, deps.interruption);
  const ended = serveQueue({
    queue: new SqsJobQueue(client, queue.url),
    party: "ships",
    waitSeconds: 1,
    deps: {} as never,
    useCases: Object.fromEntries(Object.keys(WORKER_USE_CASES).map((stage) => [stage, useCase])) as never,
    heartbeatSeconds: 30,
    callback,
    logger: logger as never,
    recordUsage: async () => undefined,
    stopping: stop.signal,
    gaveUp: giveUp.signal,
    ...more,
  });
  const worker = {
    ended,
    stop: async () => {
      if (!stop.signal.aborted) stop.abort(STOPPED);
      giveUp.abort(STOPPED);
      await ended;
    },
    ask: () => stop.abort(STOPPED),
    break: (error: Error) => giveUp.abort(error),
  };
  running.push(worker);
  return worker;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries === 300) throw new Error("it did not come about in 15 seconds");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const isEmpty = (queue: TestQueue) => until(async () => (await queue.count()) === 0);

describe("a queue's worker", () => {
  it("does one job after another, answers each token, and takes the messages off the queue", async () => {
    const test = await prepare();
    for (const round of [1, 2, 3]) await test.queue.send(message(`token-${round}`, { ...JOB, round }));
    let atOnce = 0;
    let most = 0;
    start(test, async (round) => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setTimeout(resolve, 30));
      atOnce--;
      return { manifest: `round ${round}` };
    });
    await isEmpty(test.queue);
    const byToken = new Map(test.callback.answers.map((answer) => [answer.token, answer]));
    expect([...byToken.values()].sort((a, b) => (a.token < b.token ? -1 : 1))).toEqual(
      [1, 2, 3].map((round) => ({ token: `token-${round}`, output: { manifest: `round ${round}` } })),
    );
    expect(most).toBe(1);
  });

  it("shares the queue with other workers of its party: each job is done once", async () => {
    const test = await prepare();
    for (let round = 1; round <= 6; round++) await test.queue.send(message(`token-${round}`, { ...JOB, round }));
    const slow: Work = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { manifest: "m" };
    };
    start(test, slow);
    start(test, slow);
    await isEmpty(test.queue);
    expect(test.callback.answers.map(({ token }) => token).sort()).toEqual(
      [1, 2, 3, 4, 5, 6].map((round) => `token-${round}`),
    );
  });

  it("tells the state of a job that failed, and takes its message off the queue: a retry is another message", async () => {
    const test = await prepare();
    await test.queue.send(message("token"));
    start(test, () => Promise.reject(new InvalidInputError("DATASET_EMPTY", "client ships: no samples")));
    await isEmpty(test.queue);
    expect(test.callback.answers).toEqual([
      {
        token: "token",
        error: {
          name: "InvalidInputError",
          cause: "client ships: no samples [DATASET_EMPTY: round 1, client-train, ships]",
        },
      },
    ]);
  });

  it("ends by itself once the queue is empty, where that is asked for", async () => {
    const test = await prepare();
    for (const round of [1, 2]) await test.queue.send(message(`token-${round}`, { ...JOB, round }));
    await start(test, done, { once: true }).ended;
    expect(test.callback.answers.map(({ token }) => token).sort()).toEqual(["token-1", "token-2"]);
    expect(await test.queue.count()).toBe(0);
  });

  it("takes up the job of a worker that died with it", async () => {
    const test = await prepare();
    await test.queue.send(message("token"));
    const dead = await new SqsJobQueue(client, test.queue.url).receive({
      waitSeconds: 1,
      hiddenSeconds: 2,
      signal: new AbortController().signal,
    });
    expect(dead).not.toBeNull();
    start(test, done);
    await isEmpty(test.queue);
    expect(test.callback.answers).toEqual([{ token: "token", output: { manifest: "m" } }]);
  });

  it("keeps a message hidden for as long as it works", async () => {
    const test = await prepare();
    await test.queue.send(message("token"));
    let finish = (): void => undefined;
    start(test, () => new Promise((resolve) => (finish = () => resolve({ manifest: "m" }))), { hiddenSeconds: 1 });
    await until(() => test.callback.beats.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await test.queue.visible()).toEqual([]);
    finish();
    await isEmpty(test.queue);
    expect(test.callback.answers).toHaveLength(1);
  });

  it("lets go of a job whose token nobody waits for, and only then takes the next", async () => {
    const test = await prepare();
    test.callback.gone.add("token-1");
    await test.queue.send(message("token-1", { ...JOB, round: 1 }));
    const order: string[] = [];
    start(test, async (round, { signal }) => {
      if (round === 2) {
        order.push("the next began");
        return { manifest: "m" };
      }
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      await test.queue.send(message("token-2", { ...JOB, round: 2 }));
      await new Promise((resolve) => setTimeout(resolve, 100));
      order.push("the first ended");
      throw signal.reason;
    });
    await until(() => test.callback.answers.length === 1);
    await isEmpty(test.queue);
    expect(order).toEqual(["the first ended", "the next began"]);
    expect(test.callback.answers).toEqual([{ token: "token-2", output: { manifest: "m" } }]);
  });

  it.each<[string, object, RegExp]>([
    ["another party's job", message("token", { ...JOB, party: "wards" }), /a job of ships.*got one of wards/],
    ["a stage that no worker hosts", message("token", { ...JOB, stage: "plan-run" }), /stage/],
    ["a field that no message has", { ...message("token"), environment: {} }, /environment/],
    ["no job", { taskToken: "token" }, /job/],
  ])("refuses %s in words to whoever waits, and does nothing of it", async (_, sent, cause) => {
    const test = await prepare();
    await test.queue.send(sent);
    let worked = false;
    start(test, async () => {
      worked = true;
    });
    await isEmpty(test.queue);
    expect(test.callback.answers).toEqual([
      { token: "token", error: { name: "InvalidInputError", cause: expect.stringMatching(cause) } },
    ]);
    expect(worked).toBe(false);
  });

  it.each([
    ["no JSON", "{"],
    ["JSON without a token", '{"job":{}}'],
    ["a token that is too long", JSON.stringify(message("t".repeat(2049)))],
    ["more than any job", JSON.stringify({ ...message("token"), more: "x".repeat(40_000) })],
  ])("leaves a message of %s to its queue's dead letters", async (_, body) => {
    const test = await prepare(1);
    await test.queue.send(body);
    const queue = new SqsJobQueue(client, test.queue.url);
    const hide = queue.hide.bind(queue);
    const hidden: number[] = [];
    queue.hide = (taken, seconds) => {
      hidden.push(seconds);
      return hide(taken, 0); // the test does not wait
    };
    start(test, done, { queue });
    await until(async () => (await test.queue.visible(test.queue.deadLetters)).includes(body));
    expect(hidden).toEqual([10]);
    expect(test.callback.answers).toEqual([]);
    expect(test.logger.lines).toContainEqual(
      expect.objectContaining({ level: "ERROR", extra: { code: "MESSAGE_INVALID", characters: body.length } }),
    );
  });

  it("brings a job again whose answer got lost", async () => {
    const test = await prepare();
    await test.queue.send(message("token"));
    const queue = new SqsJobQueue(client, test.queue.url);
    const hide = queue.hide.bind(queue);
    queue.hide = (taken) => hide(taken, 0);
    const succeed = test.callback.succeed.bind(test.callback);
    let lost = 0;
    test.callback.succeed = (token, output) =>
      lost++ === 0 ? Promise.reject(new TransientError("AWS_UNAVAILABLE", "states: reset")) : succeed(token, output);
    start(test, done, { queue });
    await isEmpty(test.queue);
    expect(test.callback.answers).toEqual([{ token: "token", output: { manifest: "m" } }]);
  });

  it("goes on trying while its queue cannot be reached", async () => {
    const test = await prepare();
    const queue = new SqsJobQueue(client, test.queue.url);
    const receive = queue.receive.bind(queue);
    let tries = 0;
    queue.receive = (options) =>
      tries++ < 1 ? Promise.reject(new TransientError("AWS_UNAVAILABLE", "sqs: ENOTFOUND")) : receive(options);
    start(test, done, { queue });
    await test.queue.send(message("token"));
    await isEmpty(test.queue);
    expect(test.logger.lines).toContainEqual(expect.objectContaining({ message: "queue cannot be read" }));
  });

  it("ends where its queue refuses it from the start", async () => {
    const test = await prepare();
    const { ended } = start(test, done, { queue: new SqsJobQueue(client, `${test.queue.url}-of-nobody`) });
    running.pop(); // it has ended already
    await expect(ended).rejects.toMatchObject({ name: "InvalidInputError" });
  });

  it("goes on trying where its queue refuses it later", async () => {
    const test = await prepare();
    const queue = new SqsJobQueue(client, test.queue.url);
    const receive = queue.receive.bind(queue);
    let tries = 0;
    queue.receive = (options) =>
      tries++ === 1 ? Promise.reject(new InvalidInputError("ACCESS_DENIED", "sqs: access denied")) : receive(options);
    start(test, done, { queue });
    await until(() => tries > 1);
    await test.queue.send(message("token"));
    await isEmpty(test.queue);
  });
});

describe("a queue's worker that is told to stop", () => {
  it("gives its job back at once and unanswered, after it was put down", async () => {
    const test = await prepare();
    await test.queue.send(message("token"));
    const put: string[] = [];
    const worker = start(test, async (_, { signal, hold }) => {
      const release = hold();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      await new Promise((resolve) => setTimeout(resolve, 50));
      put.push("checkpoint");
      release();
      throw signal.reason;
    });
    await until(() => test.callback.beats.length > 0);
    worker.ask();
    await worker.ended;
    expect(put).toEqual(["checkpoint"]);
    expect(test.callback.answers).toEqual([]);
    expect((await test.queue.visible()).map((body) => JSON.parse(body).taskToken)).toEqual(["token"]);
  });

  it("gives it back too where there was no time to put it down", async () => {
    const test = await prepare();
    await test.queue.send(message("token"));
    const worker = start(test, (_, { hold }) => {
      hold();
      return never();
    });
    await until(() => test.callback.beats.length > 0);
    await worker.stop();
    expect(test.callback.answers).toEqual([]);
    expect(await test.queue.visible()).toHaveLength(1);
  });

  it("leaves soon while it waits for a message, and keeps none that comes meanwhile", async () => {
    const test = await prepare();
    const worker = start(test, done, { waitSeconds: 20 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const startedMs = performance.now();
    worker.ask();
    await test.queue.send(message("token"));
    await worker.ended;
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await test.queue.visible()).toHaveLength(1);
    expect(test.callback.answers).toEqual([]);
  });
});

describe("a queue's worker whose process is broken", () => {
  const broken = new Error("nobody caught it");

  it("fails its job, tells it to end, and leaves without waiting for it", async () => {
    const test = await prepare();
    await test.queue.send(message("token"));
    const heard: unknown[] = [];
    const worker = start(test, (_, { signal }) => {
      signal.addEventListener("abort", () => heard.push(signal.reason));
      return never();
    });
    await until(() => test.callback.beats.length > 0);
    worker.break(broken);
    await worker.ended;
    expect(heard).toEqual([broken]);
    expect(test.callback.answers).toEqual([
      { token: "token", error: { name: "InvariantError", cause: expect.stringContaining("nobody caught it") } },
    ]);
    expect(await test.queue.count()).toBe(0);
  });

  it("leaves soon while it waits, and gives a message back that comes meanwhile, for a sound worker", async () => {
    const test = await prepare();
    const worker = start(test, done, { waitSeconds: 20 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const startedMs = performance.now();
    worker.break(broken);
    await test.queue.send(message("token"));
    await worker.ended;
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await test.queue.visible()).toHaveLength(1);
    expect(test.callback.answers).toEqual([]);
  });
});
