import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type ErrorBody, type ErrorType, PostponedRequest, RefusedRequest } from "../../contracts/openai/errors.ts";
import { InvalidInputError, TransientError } from "../../core/errors.ts";

/** An answer that is no success. */
export interface ErrorAnswer {
  status: number;
  /** ours, in lower case, of which there are so many and no more; the body may have another one, of a server behind */
  code: string;
  body: ErrorBody;
  /** 429 and 503 have one */
  retryAfterSeconds: number | null;
}

const TYPES: Readonly<Record<number, ErrorType>> = {
  403: "permission_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "service_unavailable_error",
};

/** What fastify refuses before a route is asked, by its codes. */
const BY_FASTIFY: Readonly<Partial<Record<string, () => RefusedRequest>>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () =>
    new RefusedRequest("BODY_TOO_LARGE", "expected a shorter body: this one is longer than any request", {
      status: 413,
    }),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new RefusedRequest("UNSUPPORTED_MEDIA_TYPE", "expected content-type: application/json", { status: 415 }),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new RefusedRequest("BODY_INVALID", "expected a body as long as content-length says"),
};

/** What Node's parser of HTTP refuses. */
const BY_NODE: Readonly<Partial<Record<string, () => RefusedRequest>>> = {
  HPE_HEADER_OVERFLOW: () =>
    new RefusedRequest("HEADERS_TOO_LARGE", "expected fewer or shorter headers", { status: 431 }),
  ERR_HTTP_REQUEST_TIMEOUT: () =>
    new RefusedRequest("REQUEST_TIMEOUT", "expected the whole request sooner", { status: 408 }),
};

/** What becomes of an error: nothing of the inside is told where it is a bug of ours. */
export function answerError(error: unknown): ErrorAnswer {
  const told = BY_FASTIFY[codeOf(error)]?.() ?? error;
  if (told instanceof RefusedRequest && told.body !== null)
    return { status: told.status, code: told.code.toLowerCase(), body: told.body, retryAfterSeconds: null };
  if (told instanceof RefusedRequest) return write(told.status, told, told.type, told.param, null);
  if (told instanceof PostponedRequest) return write(told.status, told, told.type, null, told.retryAfterSeconds);
  if (told instanceof InvalidInputError) return write(400, told, null, null, null);
  if (told instanceof TransientError) return write(503, told, null, null, 1);
  // what fastify refuses otherwise: a body that broke off
  if (statusOf(error) === 400)
    return write(400, { code: "BODY_INVALID", message: "expected a whole body" }, null, null, null);
  return write(
    500,
    { code: "INTERNAL_ERROR", message: "the server failed at this request; its log says where" },
    null,
    null,
    null,
  );
}

function write(
  status: number,
  { code, message }: { code: string; message: string },
  type: ErrorType | null,
  param: string | null,
  retryAfterSeconds: number | null,
): ErrorAnswer {
  const named = type ?? TYPES[status] ?? "invalid_request_error";
  const lower = code.toLowerCase();
  return { status, code: lower, body: { error: { message, type: named, param, code: lower } }, retryAfterSeconds };
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code);
}

function statusOf(error: unknown): unknown {
  return (error as { statusCode?: unknown } | null)?.statusCode;
}

/** Where an error came from, for the log: its message may repeat what was asked, and stays away. */
export function describeFailure(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: typeof error };
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return { error: error.name, code: codeOf(error), stack: frames.slice(0, 8).map((line) => line.trim()) };
}

/**
 * Answers what is no HTTP, or does not arrive, and ends the connection.
 * @param answer - the connection's newest: in the middle of it nothing can be said
 */
export function answerBrokenRequest(error: unknown, socket: Socket, answer: ServerResponse | undefined): void {
  if (
    (answer?.headersSent === true && !answer.writableFinished) ||
    !socket.writable ||
    codeOf(error) === "ECONNRESET"
  ) {
    socket.destroy();
    return;
  }
  const refused = BY_NODE[codeOf(error)]?.() ?? new RefusedRequest("REQUEST_INVALID", "expected a request of HTTP/1.1");
  const { status, body } = answerError(refused);
  const json = JSON.stringify(body);
  socket.end(
    [
      `HTTP/1.1 ${status} ${REASONS[status]}`,
      "content-type: application/json; charset=utf-8",
      `content-length: ${Buffer.byteLength(json)}`,
      "connection: close",
      "",
      json,
    ].join("\r\n"),
  );
  // whoever does not hang up is hung up on
  socket.setTimeout(HANG_UP_MS, () => socket.destroy());
}

const HANG_UP_MS = 1000;
const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};

/** Answers `Expect:` with anything but 100-continue. */
export function answerExpectation(response: ServerResponse): void {
  const { body } = answerError(
    new RefusedRequest("REQUEST_INVALID", "expected no other expectation than 100-continue"),
  );
  response.writeHead(417, { "content-type": "application/json; charset=utf-8", connection: "close" });
  response.end(JSON.stringify(body));
}
