import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { keyMutex } from "./key-mutex.ts";
import { toError } from "./named-error.ts";

/** fauxqs refuses longer bodies; S3 itself takes 5 GiB in one request, so clients upload in parts of 8 MiB. */
export const MAX_BODY_BYTES = 11 * 1024 * 1024;

/** Answers a Step Functions call: the operation's name and its JSON body. Throws errors whose name is the AWS error code. */
export type StatesApi = (operation: string, input: Record<string, unknown>) => unknown;

export interface Front {
  /** `http://127.0.0.1:<port>`, the one endpoint for S3, SQS and Step Functions */
  url: string;
  stop(): Promise<void>;
}

/**
 * The HTTP front of the embedded AWS on 127.0.0.1. Step Functions calls are answered here; S3 and SQS go on to fauxqs. What fauxqs
 * leaves open is closed here: `If-None-Match: *` on PutObject and CompleteMultipartUpload is enforced, atomically against every
 * other write of the same key (412 as S3 answers), and other conditions on writes are refused (501) instead of being ignored.
 */
export async function startFront(storesPort: number, states: StatesApi): Promise<Front> {
  const oneWriterAKey = keyMutex();
  const stores: RequestOptions = { host: "127.0.0.1", port: storesPort, agent: new Agent({ keepAlive: true }) };
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      if (!response.headersSent) sendS3Error(response, 503, "ServiceUnavailable", toError(error).message);
      else response.destroy();
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const length = Number(request.headers["content-length"] ?? 0);
    if (length > MAX_BODY_BYTES) {
      request.resume();
      return sendS3Error(
        response,
        413,
        "EntityTooLarge",
        `${length} bytes; the most is ${MAX_BODY_BYTES}: upload in parts`,
      );
    }
    const target = String(request.headers["x-amz-target"] ?? "");
    if (target.startsWith("AWSStepFunctions.")) return answerStates(states, target, request, response);
    if (target.startsWith("AmazonSQS.")) return pass(request, response, "/"); // SDKs may post to the queue's own URL
    if (!isObjectWrite(request)) return pass(request, response, request.url ?? "/");

    const condition = request.headers["if-none-match"];
    if ((condition !== undefined && condition !== "*") || request.headers["if-match"] !== undefined) {
      request.resume();
      return sendS3Error(
        response,
        501,
        "NotImplemented",
        "Of the conditions on writes only If-None-Match: * is served",
      );
    }
    const body = await readBody(request); // before the lock, so that a slow sender holds up nobody
    const objectPath = new URL(request.url ?? "/", "http://front").pathname;
    await oneWriterAKey(objectPath, async () => {
      if (condition === "*" && (await exists(objectPath))) {
        return sendS3Error(
          response,
          412,
          "PreconditionFailed",
          "At least one of the pre-conditions you specified did not hold",
        );
      }
      await pass(request, response, request.url ?? "/", body);
    });
  }

  function pass(request: IncomingMessage, response: ServerResponse, path: string, body?: Buffer): Promise<void> {
    const { expect: _, "if-none-match": conditional, ...headers } = request.headers;
    if (conditional !== undefined && !isObjectWrite(request)) headers["if-none-match"] = conditional;
    return new Promise((resolve, reject) => {
      const onward = httpRequest({ ...stores, method: request.method, path, headers }, (answered) => {
        response.writeHead(answered.statusCode ?? 502, answered.headers);
        answered.pipe(response);
        answered.on("error", reject);
        response.on("close", resolve);
      });
      onward.on("error", reject);
      response.on("close", () => onward.destroy());
      if (body) onward.end(body);
      else request.pipe(onward);
    });
  }

  function exists(path: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const head = httpRequest({ ...stores, method: "HEAD", path }, (answered) => {
        answered.resume();
        resolve(answered.statusCode === 200);
      });
      head.on("error", reject).end();
    });
  }

  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        (stores.agent as Agent).destroy();
      }),
  };
}

/** PutObject, CopyObject and CompleteMultipartUpload: what makes an object appear. */
function isObjectWrite(request: IncomingMessage): boolean {
  const url = new URL(request.url ?? "/", "http://front");
  if (!/^\/[^/]+\/./.test(url.pathname)) return false;
  if (request.method === "PUT") return !url.searchParams.has("partNumber");
  return request.method === "POST" && url.searchParams.has("uploadId");
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error(`a body longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function answerStates(
  states: StatesApi,
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let status = 200;
  let answered: unknown;
  try {
    const body = (await readBody(request)).toString("utf8");
    answered = await states(target.slice(target.indexOf(".") + 1), JSON.parse(body || "{}") as Record<string, unknown>);
  } catch (error) {
    status = 400;
    answered = { __type: toError(error).name, message: toError(error).message };
  }
  response.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(answered));
}

function sendS3Error(response: ServerResponse, status: number, code: string, message: string): void {
  const escaped = message.replace(/[<&]/g, (character) => (character === "<" ? "&lt;" : "&amp;"));
  response
    .writeHead(status, { "content-type": "application/xml" })
    .end(`<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${escaped}</Message></Error>`);
}
