/** Runs in a worker thread: one Lambda execution environment. Loads a bundle's handler and answers one event at a time. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import type { FromThread, ThreadStart, ToThread } from "./lambda-messages.ts";

type Handler = (event: unknown, context: unknown) => unknown;

const start = workerData as ThreadStart;
const port = parentPort!;
const send = (message: FromThread) => port.postMessage(message);

async function load(): Promise<Handler> {
  const [, modulePath, exported] = /^(.*?)\.([^./]+)$/.exec(start.handler) ?? [];
  const base = path.join(start.folder, modulePath ?? start.handler);
  const file = [".js", ".mjs", ".cjs"].map((extension) => base + extension).find(existsSync);
  if (!file)
    throw Object.assign(new Error(`Cannot find module '${modulePath}'`), { name: "Runtime.ImportModuleError" });
  const loaded = file.endsWith(".mjs")
    ? ((await import(pathToFileURL(file).href)) as Record<string, unknown>)
    : (createRequire(file)(file) as Record<string, unknown>);
  const handler = loaded[exported!] ?? (loaded.default as Record<string, unknown> | undefined)?.[exported!];
  if (typeof handler === "function") return handler as Handler;
  throw Object.assign(new Error(`${start.handler} is undefined or not exported`), { name: "Runtime.HandlerNotFound" });
}

function describe(thrown: unknown): { errorType: string; errorMessage: string; trace: string[] } {
  const error = thrown as Partial<Error> | undefined;
  return {
    errorType: error?.name ?? typeof thrown,
    errorMessage: error?.message ?? String(thrown),
    trace: (error?.stack ?? "").split("\n"),
  };
}

function context(message: ToThread): Record<string, unknown> {
  return {
    awsRequestId: message.id,
    functionName: start.functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn: start.arn,
    memoryLimitInMB: String(start.memoryMb),
    logGroupName: `/aws/lambda/${start.functionName}`,
    logStreamName: "local",
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, message.deadline - Date.now()),
  };
}

const handler = load();
handler.catch(() => {});
port.on("message", async (message: ToThread) => {
  try {
    const result = await (await handler)(JSON.parse(message.payload), context(message));
    send({ id: message.id, ok: true, payload: JSON.stringify(result ?? null) });
  } catch (thrown) {
    send({ id: message.id, ok: false, error: describe(thrown) });
  }
});
