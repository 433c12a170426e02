import { randomUUID } from "node:crypto";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { programUrl } from "@fedmkt/shared/core/program-url.ts";
import type { LocalResource } from "./assembly.ts";
import type { FromThread, ThreadStart, ToThread } from "./lambda-messages.ts";
import type { EnvironmentOf } from "./local-environment.ts";
import type { OnLocalEvent } from "./local-event.ts";
import { namedError } from "./named-error.ts";
import { followOutput } from "./output-lines.ts";

const LAMBDA_THREAD = programUrl("lambda-thread", "./lambda-thread-main.ts", import.meta.url);

/** A function without work gives its memory back after this time; starting it again takes about 0.2 s. */
const IDLE_MS = 10_000;

export interface LambdaFunctions {
  /**
   * Invokes a function and waits for its answer.
   *
   * @param name - the function's name or ARN, with or without a version or alias
   * @param wait - `begin` is called when an environment is free; where `signal` is aborted before, the event is dropped. As on AWS,
   *   an invocation that has begun goes on whether or not somebody still waits for it
   * @throws an error with the name the handler's error had and Lambda's JSON as message; `Sandbox.Timedout` after the function's
   *   time-out, `Runtime.ExitError` where its environment died, `Lambda.ResourceNotFoundException` for an unknown name
   */
  invoke(name: string, event: unknown, wait?: Wait): Promise<unknown>;
  stop(): Promise<void>;
}

/** How an event waits for a free environment. */
export interface Wait {
  begin(): void;
  signal: AbortSignal;
}

/**
 * The assembly's Lambda functions, each execution environment a worker thread of this process: own environment variables, own heap
 * limit (the function's memory), own time-out, at some 10 MB apiece where a process would take 50. An environment serves one event
 * at a time and stays warm; a function has at most `concurrency` of them, further events wait.
 */
export function lambdaFunctions(options: {
  resources: readonly LocalResource[];
  environmentOf: EnvironmentOf;
  logsFolder: string;
  concurrency: number;
  onEvent: OnLocalEvent;
}): LambdaFunctions {
  const functions = new Map<string, LambdaFunction>();
  for (const resource of options.resources) {
    if (resource.type === "AWS::Lambda::Function") functions.set(resource.name, lambdaFunction(resource, options));
  }
  return {
    async invoke(name, event, wait) {
      const found = functions.get(/(?:^|:function:)([^:]+)(?::[^:]+)?$/.exec(name)?.[1] ?? name);
      if (!found) throw namedError("Lambda.ResourceNotFoundException", `Function not found: ${name}`);
      return found.invoke(event, wait);
    },
    async stop() {
      await Promise.all([...functions.values()].map((each) => each.stop()));
    },
  };
}

interface LambdaFunction {
  invoke(event: unknown, wait?: Wait): Promise<unknown>;
  stop(): Promise<void>;
}

interface Thread {
  worker: Worker;
  output: { close(): Promise<void> };
  idleTimer?: NodeJS.Timeout;
}

function lambdaFunction(
  { name, arn, folder, properties }: LocalResource,
  { environmentOf, logsFolder, concurrency, onEvent }: Parameters<typeof lambdaFunctions>[0],
): LambdaFunction {
  const timeoutMs = Number(properties.Timeout ?? 3) * 1000; // Lambda's defaults
  const memoryMb = Number(properties.MemorySize ?? 128);
  const assetKey = String((properties.Code as { S3Key?: string } | undefined)?.S3Key ?? "").replace(/\.zip$/, "");
  const start: ThreadStart = {
    folder: path.join(folder, `asset.${assetKey}`),
    handler: String(properties.Handler),
    functionName: name,
    arn,
    memoryMb,
  };
  const variables = (properties.Environment as { Variables?: Record<string, unknown> } | undefined)?.Variables ?? {};
  const env = {
    ...environmentOf(Object.fromEntries(Object.entries(variables).map(([key, value]) => [key, String(value)]))),
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    LAMBDA_TASK_ROOT: start.folder,
  };
  const idle: Thread[] = [];
  const threads = new Set<Thread>();
  const queue: { take(thread: Thread): void; drop(reason: unknown): void }[] = [];

  function open(): Thread {
    const worker = new Worker(LAMBDA_THREAD, {
      workerData: start,
      env,
      execArgv: ["--no-warnings"],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    });
    const output = followOutput(
      name,
      path.join(logsFolder, `${name}.log`),
      { out: worker.stdout, err: worker.stderr },
      onEvent,
    );
    const thread: Thread = { worker, output };
    threads.add(thread);
    worker.on("error", () => {}); // told by the invocation that was under way
    worker.once("exit", () => {
      threads.delete(thread);
      clearTimeout(thread.idleTimer);
      if (idle.includes(thread)) idle.splice(idle.indexOf(thread), 1);
      if (queue.length > 0) queue.shift()!.take(open());
    });
    return thread;
  }

  function acquire(signal?: AbortSignal): Promise<Thread> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const warm = idle.pop();
    if (warm) {
      clearTimeout(warm.idleTimer);
      return Promise.resolve(warm);
    }
    if (threads.size < concurrency) return Promise.resolve(open());
    return new Promise((resolve, reject) => {
      const drop = (reason: unknown) => {
        signal?.removeEventListener("abort", aborted);
        queue.splice(queue.indexOf(waiting), 1);
        reject(reason);
      };
      const aborted = () => drop(signal!.reason);
      const take = (thread: Thread) => {
        signal?.removeEventListener("abort", aborted);
        resolve(thread);
      };
      const waiting = { take, drop };
      queue.push(waiting);
      signal?.addEventListener("abort", aborted, { once: true });
    });
  }

  function release(thread: Thread): void {
    if (!threads.has(thread)) return; // it died; its exit served the queue
    const next = queue.shift();
    if (next) {
      next.take(thread);
      return;
    }
    idle.push(thread);
    thread.idleTimer = setTimeout(() => {
      idle.splice(idle.indexOf(thread), 1);
      thread.worker.terminate();
    }, IDLE_MS).unref();
  }

  return {
    async invoke(event, wait) {
      const thread = await acquire(wait?.signal);
      wait?.begin();
      try {
        return await invokeOn(thread, event);
      } finally {
        release(thread);
      }
    },
    async stop() {
      for (const waiting of [...queue]) waiting.drop(namedError("States.TaskFailed", "the local run is being stopped"));
      await Promise.all(
        [...threads].map(async ({ worker, output }) => {
          await worker.terminate();
          await output.close();
        }),
      );
    },
  };

  async function invokeOn({ worker }: Thread, event: unknown): Promise<unknown> {
    const message: ToThread = { id: randomUUID(), payload: JSON.stringify(event), deadline: Date.now() + timeoutMs };
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    let died: Error | undefined;
    const answered = (answer: FromThread) => {
      if (answer.ok) resolve(JSON.parse(answer.payload));
      else reject(namedError(answer.error.errorType, JSON.stringify(answer.error)));
    };
    const failed = (error: Error) => {
      died = error;
    };
    const ended = (code: number) => {
      const what = died ? `${died.message}` : `Runtime exited with status ${code}`;
      reject(
        namedError("Runtime.ExitError", lambdaCause("Runtime.ExitError", `RequestId: ${message.id} Error: ${what}`)),
      );
    };
    const timer = setTimeout(async () => {
      worker.off("exit", ended);
      await worker.terminate();
      const what = `RequestId: ${message.id} Error: Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`;
      reject(namedError("Sandbox.Timedout", lambdaCause("Sandbox.Timedout", what)));
    }, timeoutMs);
    worker.on("message", answered).on("error", failed).on("exit", ended);
    worker.postMessage(message);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      worker.off("message", answered).off("error", failed).off("exit", ended);
    }
  }
}

function lambdaCause(errorType: string, errorMessage: string): string {
  return JSON.stringify({ errorType, errorMessage });
}
