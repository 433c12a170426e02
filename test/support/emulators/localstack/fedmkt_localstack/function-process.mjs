/**
 * One warm environment of a function: loads the handler that `_HANDLER` names below `LAMBDA_TASK_ROOT`, then answers one request after
 * another over the socket `CHANNEL_FD`, a JSON document a line each way. What the handler prints is the function's log.
 */
import { existsSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const variables = process.env;
const channel = new Socket({ fd: Number(variables.CHANNEL_FD), readable: true, writable: true });
const tell = (message) => new Promise((resolve) => channel.write(`${JSON.stringify(message)}\n`, resolve));
const described = (error) => ({
  errorType: error?.name ?? typeof error,
  errorMessage: error?.message ?? String(error),
  trace: String(error?.stack ?? "").split("\n"),
});

async function loadHandler() {
  const [moduleName, handlerName] = variables._HANDLER.split(".");
  const file = [".mjs", ".js", ".cjs"]
    .map((ending) => join(variables.LAMBDA_TASK_ROOT, moduleName + ending))
    .find(existsSync);
  if (file === undefined) throw new Error(`no module ${moduleName} in the function's code`);
  const handler = (await import(pathToFileURL(file).href))[handlerName];
  if (typeof handler !== "function") throw new Error(`${moduleName} exports no function ${handlerName}`);
  return handler;
}

async function answer(handler, { id, functionArn, payload, timeoutSeconds }) {
  const end = Date.now() + timeoutSeconds * 1000;
  const context = {
    awsRequestId: id,
    invokedFunctionArn: functionArn,
    functionName: variables.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: variables.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: variables.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: variables.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: variables.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => end - Date.now(),
  };
  try {
    return { succeeded: true, value: (await handler(JSON.parse(payload), context)) ?? null };
  } catch (error) {
    return { succeeded: false, value: described(error) };
  }
}

try {
  const handler = await loadHandler();
  await tell({ succeeded: true, value: "loaded" });
  for await (const line of createInterface({ input: channel })) await tell(await answer(handler, JSON.parse(line)));
  process.exit(0);
} catch (error) {
  await tell({ succeeded: false, value: described(error) });
  process.exit(1);
}
