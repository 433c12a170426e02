import { timingSafeEqual } from "node:crypto";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Duplex, finished } from "node:stream";
import { answerJson, type JsonServices } from "./json-services.ts";
import { keyMutex } from "./key-mutex.ts";
import { toError } from "./named-error.ts";
import { MAX_BODY_BYTES, readBody } from "./read-body.ts";

export interface FrontOptions {
  /** a connection to S3 and SQS */
  connect: () => Duplex;
  /** answered in this process: Step Functions, ECS */
  services: JsonServices;
  /** requests under any other access key are refused */
  accessKeyId: string;
}

export interface Front {
  /** `http://127.0.0.1:<port>`, the one endpoint of all services */
  url: string;
  stop(): Promise<void>;
}

/**
 * The HTTP front of the embedded AWS on 127.0.0.1, and the only way to it. Other users of the machine reach the port too, so
 * requests must name the access key of this start, which nobody can guess; its holder is believed without checking the signature.
 * Foreign Host headers, by which a web page would come, are refused. Step Functions and ECS are answered here; S3 and SQS go on
 * to fauxqs. What fauxqs leaves open is closed here: `If-None-Match: *` on PutObject and CompleteMultipartUpload is enforced,
 * atomically against every other write of the same key (412 as S3 answers), other conditions on writes are refused (501), and a
 * message for somebody who has gone in the meantime goes back to its queue.
 */
export async function startFront({ connect, services, accessKeyId }: FrontOptions): Promise<Front> {
  const oneWriterAKey = keyMutex();
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      if (!response.headersSent) sendS3Error(response, 503, "ServiceUnavailable", toError(error).message);
      else response.destroy();
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, code: string, message: string) => {
      request.resume();
      sendS3Error(response, status, code, message);
    };
    const { port } = server.address() as AddressInfo;
    if (![`127.0.0.1:${port}`, `localhost:${port}`].includes(request.headers.host ?? ""))
      return refuse(403, "AccessDenied", "The Host header names another machine");
    if (!isSame(accessKeyOf(request), accessKeyId))
      return refuse(403, "InvalidAccessKeyId", "The access key is not the one of this run");
    const length = Number(request.headers["content-length"] ?? 0);
    if (length > MAX_BODY_BYTES)
      return refuse(413, "EntityTooLarge", `${length} bytes; the most is ${MAX_BODY_BYTES}: upload in parts`);
    if (await answerJson(services, request, response)) return;
    const target = String(request.headers["x-amz-target"] ?? "");
    if (target === "AmazonSQS.ReceiveMessage") return receive(request, response);
    if (target.startsWith("AmazonSQS.")) return pass(request, response, "/"); // SDKs may post to the queue's own URL
    if (!isObjectWrite(request)) return pass(request, response, request.url ?? "/");

    const condition = request.headers["if-none-match"];
    if ((condition !== undefined && condition !== "*") || request.headers["if-match"] !== undefined)
      return refuse(501, "NotImplemented", "Of the conditions on writes only If-None-Match: * is served");
    const body = await readBody(request); // before the lock, so that a slow sender holds up nobody
    const objectPath = new URL(request.url ?? "/", "http://front").pathname;
    // the lock is held until the stores have answered, whether or not the client still waits
    const answered = await oneWriterAKey(objectPath, async () => {
      if (response.destroyed) return null;
      if (condition === "*" && (await ask("HEAD", objectPath, {})).status === 200) return "exists";
      const { "if-none-match": _, ...headers } = onwardHeaders(request);
      return ask(request.method!, request.url ?? "/", headers, body);
    });
    if (answered === "exists")
      sendS3Error(response, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    else if (answered !== null) response.writeHead(answered.status, answered.headers).end(answered.body);
  }

  /** A poll goes on in the stores when its asker is gone, and would take the next message away from everybody. */
  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = await readBody(request);
    const headers = onwardHeaders(request);
    const { status, headers: back, body } = await ask("POST", "/", headers, asked);
    if (!response.destroyed) {
      response.writeHead(status, back).end(body);
      return;
    }
    const { Messages: messages = [] } = JSON.parse(body.toString("utf8")) as { Messages?: { ReceiptHandle: string }[] };
    const { QueueUrl } = JSON.parse(asked.toString("utf8")) as { QueueUrl: string };
    for (const { ReceiptHandle } of messages) {
      const visible = Buffer.from(JSON.stringify({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
      const target = { "x-amz-target": "AmazonSQS.ChangeMessageVisibility", "content-length": String(visible.length) };
      await ask("POST", "/", { ...headers, ...target }, visible);
    }
  }

  /** Passes bytes through in both directions, as long as the client is there. */
  function pass(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    if (response.destroyed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const options = { createConnection: connect, method: request.method, path, headers: onwardHeaders(request) };
      const onward = httpRequest(options, (answered) => {
        response.writeHead(answered.statusCode ?? 502, backHeaders(answered));
        answered.on("error", reject).pipe(response);
      });
      onward.on("error", reject);
      finished(response, () => {
        onward.destroy();
        resolve();
      });
      request.pipe(onward);
    });
  }

  /** One short question to the stores. */
  function ask(method: string, path: string, headers: IncomingMessage["headers"], body?: Buffer) {
    return new Promise<{ status: number; headers: IncomingMessage["headers"]; body: Buffer }>((resolve, reject) => {
      const onward = httpRequest({ createConnection: connect, method, path, headers }, (answered) => {
        readBody(answered).then(
          (read) => resolve({ status: answered.statusCode ?? 502, headers: backHeaders(answered), body: read }),
          reject,
        );
      });
      onward.on("error", reject).end(body);
    });
  }

  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The access key that a request is signed under, in its header or (presigned) in its URL; empty where there is none. */
function accessKeyOf({ headers, url }: IncomingMessage): string {
  const inHeader = /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\//.exec(headers.authorization ?? "")?.[1];
  const inUrl = new URL(url ?? "/", "http://front").searchParams.get("X-Amz-Credential")?.split("/")[0];
  return inHeader ?? inUrl ?? "";
}

function isSame(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Each request to the stores has a connection of its own: headers about the client's stay behind. */
function onwardHeaders({ headers: { expect: _, connection: __, ...headers } }: IncomingMessage) {
  return headers;
}

function backHeaders({ headers: { connection: _, "keep-alive": __, ...headers } }: IncomingMessage) {
  return headers;
}

/** PutObject, CopyObject and CompleteMultipartUpload: what makes an object appear. */
function isObjectWrite(request: IncomingMessage): boolean {
  const url = new URL(request.url ?? "/", "http://front");
  if (!/^\/[^/]+\/./.test(url.pathname)) return false;
  if (request.method === "PUT") return !url.searchParams.has("partNumber");
  return request.method === "POST" && url.searchParams.has("uploadId");
}

function sendS3Error(response: ServerResponse, status: number, code: string, message: string): void {
  const escaped = message.replace(/[<&]/g, (character) => (character === "<" ? "&lt;" : "&amp;"));
  response
    .writeHead(status, { "content-type": "application/xml" })
    .end(`<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${escaped}</Message></Error>`);
}
