import { type ErrorBody, errorBody, PostponedRequest, RefusedRequest } from "../../contracts/openai/errors.ts";
import { type InvalidInputError, TransientError } from "../../core/errors.ts";

/** After so long a server that starts, or was too busy, is asked again; where it does not say itself. */
const RETRY_SECONDS = 5;
const MAX_RETRY_SECONDS = 3600;

/** An answer that is no success, read whole. */
export interface FailedAnswer {
  status: number;
  retryAfter: string | null;
  /** null: not of this protocol's form */
  body: ErrorBody | null;
}

/** @param value - JSON of an answer that is no success, or of an event in the middle of a stream */
export function parseErrorBody(value: unknown): ErrorBody | null {
  const parsed = errorBody.safeParse(value);
  if (!parsed.success) return null;
  const { message, type = null, param = null, code = null } = parsed.data.error;
  return { error: { message, type: type ?? "invalid_request_error", param, code } };
}

/** No answer, or none yet: it is starting, restarting, or out of reach. */
export function unavailable(reason: string, cause?: unknown): PostponedRequest {
  const postponed = { status: 503, retryAfterSeconds: RETRY_SECONDS } as const;
  return new PostponedRequest("UPSTREAM_UNAVAILABLE", `the server behind: ${reason}`, postponed, { cause });
}

/** What it sent is not what the protocol says. */
export function invalid(reason: string): TransientError {
  return new TransientError("UPSTREAM_INVALID", `the server behind: ${reason}`);
}

/**
 * What an answer that is no success means for whoever asked. What is wrong with the request is told as the server behind tells it;
 * what is wrong with the gateway (its key, an adapter that was lost) is not the client's fault, and will be mended.
 */
export function requestFailure({ status, retryAfter, body }: FailedAnswer): InvalidInputError | TransientError {
  if (status === 401 || status === 403) return unavailable(`it refuses the gateway's key (${status})`);
  if (status === 404) return unavailable("it has lost the model, as after a new start (404)");
  if (status === 429 || status === 503)
    return new PostponedRequest(
      status === 429 ? "UPSTREAM_BUSY" : "UPSTREAM_UNAVAILABLE",
      status === 429 ? "the server behind has too much to do" : "the server behind is not ready",
      { status, retryAfterSeconds: retrySeconds(retryAfter) },
    );
  if (status === 502 || status === 504) return unavailable(`out of reach (${status})`);
  if (status >= 400 && status < 500)
    return new RefusedRequest("UPSTREAM_REFUSED", body?.error.message ?? `the server behind refuses it (${status})`, {
      ...{ status, param: body?.error.param ?? null },
      ...(body === null ? {} : { body }),
    });
  return new TransientError("UPSTREAM_FAILED", `the server behind failed (${status})${told(body)}`);
}

/** A failure that an event tells of, when the answer has begun. */
export function eventFailure({ error }: ErrorBody): InvalidInputError | TransientError {
  const status = typeof error.code === "number" ? error.code : 500;
  return requestFailure({ status, retryAfter: null, body: { error } });
}

export function told(body: ErrorBody | null): string {
  return body === null ? "" : `: ${body.error.message}`;
}

function retrySeconds(header: string | null): number {
  const seconds = header !== null && /^\d{1,9}$/.test(header) ? Number(header) : RETRY_SECONDS;
  return Math.min(Math.max(seconds, 1), MAX_RETRY_SECONDS);
}
