import { ChangeMessageVisibilityCommand, type SQSClient } from "@aws-sdk/client-sqs";
import type { FauxqsServer } from "fauxqs";
import type { EnvironmentOf } from "./local-environment.ts";
import type { OnLocalEvent } from "./local-event.ts";
import { type Places, places } from "./places.ts";
import type { TaskAttempt } from "./task-handlers.ts";
import { startWorkerProcess, type WorkerProcess } from "./worker-process.ts";

/** A client whose jobs are done at a site of its own. */
export interface EdgeSite {
  party: string;
  queueName: string;
  queueUrl: string;
  /** a message that was received this often without being deleted is a dead letter */
  maxReceives: number;
  /** variables of its worker, as the template says them */
  environment: Record<string, string>;
}

export interface EdgeWorkers {
  /** whether the queue is a site's */
  serves(queueUrl: string): boolean;
  /** Sends a job's message once the site's worker is free and there is a place for its work. */
  send<T>(queueUrl: string, attempt: TaskAttempt, post: () => Promise<T>): Promise<T>;
  /** process ids of the workers that run now */
  running(): number[];
  stop(): Promise<void>;
}

interface Site extends EdgeSite {
  /** a worker does one job at a time: another one's message would only keep a place from somebody else */
  turn: Places;
  worker: WorkerProcess | null;
  /** the job that it was sent and that nobody has answered; workers that have died over it */
  job: { attempt: TaskAttempt; deaths: number } | null;
}

/**
 * The sites of a local run: one queue worker for each client that has one, as its own host would run it, started with its first job.
 * It works only while it has a job, for which there must be a place. A worker that dies is started anew and its message comes again
 * at once; when it has come too often, the job is lost, and the state that waits learns it as `States.HeartbeatTimeout`: what it comes to
 * in the cloud after hours.
 */
export function edgeWorkers(options: {
  sites: readonly EdgeSite[];
  environmentOf: EnvironmentOf;
  workerEntry: string;
  logsFolder: string;
  room: Places;
  queues: SQSClient;
  stores: FauxqsServer;
  onEvent: OnLocalEvent;
}): EdgeWorkers {
  const sites = new Map<string, Site>(
    options.sites.map((site) => [site.queueUrl, { ...site, turn: places(1), worker: null, job: null }]),
  );
  let stopping = false;

  function start(site: Site): void {
    const { party, queueUrl, environment } = site;
    const worker = startWorkerProcess({
      program: options.workerEntry,
      environment: options.environmentOf({
        ...environment,
        FEDMKT_JOB_QUEUE_URL: queueUrl,
        FEDMKT_PARTY: party,
      }),
      source: `worker ${party}`,
      logsFolder: options.logsFolder,
      onEvent: options.onEvent,
    });
    site.worker = worker;
    worker.ended.then(async ({ text }) => {
      site.worker = null;
      const { job } = site;
      if (!job || stopping) return;
      job.deaths++;
      const what = `${job.attempt.stateName}: the worker of ${party} ended (${text})`;
      options.onEvent({ kind: "log", source: `worker ${party}`, line: what, level: "warn" });
      if (job.deaths >= site.maxReceives)
        job.attempt.waiting?.fail("States.HeartbeatTimeout", `${what}, as ${job.deaths} times before an answer`);
      else {
        await giveBack(site);
        if (site.job && !site.worker && !stopping) start(site);
      }
    });
  }

  /** Makes what a dead worker had taken visible again, as the queue would when its time is over. */
  async function giveBack({ queueName, queueUrl }: Site): Promise<void> {
    for (const { receiptHandle } of options.stores.inspectQueue(queueName)?.messages.inflight ?? []) {
      await options.queues
        .send(
          new ChangeMessageVisibilityCommand({
            QueueUrl: queueUrl,
            ReceiptHandle: receiptHandle,
            VisibilityTimeout: 0,
          }),
        )
        .catch(() => {}); // then it comes by itself
    }
  }

  return {
    serves: (queueUrl) => sites.has(queueUrl),
    async send(queueUrl, attempt, post) {
      const site = sites.get(queueUrl)!;
      const leaveTurn = await site.turn.take(attempt.signal);
      const leaveRoom = await options.room.take(attempt.signal).catch((error) => {
        leaveTurn();
        throw error;
      });
      const leave = () => {
        site.job = null;
        leaveRoom();
        leaveTurn();
      };
      try {
        site.job = { attempt, deaths: 0 };
        attempt.begin();
        if (!site.worker) start(site);
        return await post();
      } finally {
        if (attempt.signal.aborted) leave();
        else attempt.signal.addEventListener("abort", leave, { once: true });
      }
    },
    running: () => [...sites.values()].map(({ worker }) => worker?.pid).filter((pid) => pid !== undefined),
    async stop() {
      stopping = true;
      const workers = [...sites.values()].map(({ worker }) => worker).filter((worker) => worker !== null);
      for (const worker of workers) worker.end();
      await Promise.all(workers.map(({ ended }) => ended));
    },
  };
}
