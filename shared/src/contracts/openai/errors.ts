import { z } from "zod";
import { InvalidInputError, TransientError } from "../../core/errors.ts";

/** OpenAI's kinds of errors; its clients choose their class by the status alone. */
export type ErrorType =
  | "invalid_request_error"
  | "permission_error"
  | "rate_limit_error"
  // which of a key's rates is used up
  | "requests"
  | "tokens"
  | "server_error"
  | "service_unavailable_error"
  // vLLM's, for its own calls
  | "InvalidUserInput"
  | "NotFoundError"
  | "InternalServerError";

/** The body of every answer that is no success. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | number | null };
}

const MAX_MESSAGE = 65_536;

/** An error's body as servers of this protocol send it: vLLM's `code` is the status, some send no `param`. */
export const errorBody = z.object({
  error: z.object({
    message: z.string().max(MAX_MESSAGE),
    type: z.string().max(256).nullish(),
    param: z.string().max(1024).nullish(),
    code: z.union([z.string().max(256), z.number()]).nullish(),
  }),
});

/** What else than the message an error's answer says. */
export interface Refusal {
  /** HTTP's, 400 where it is absent */
  status?: number;
  /** the field at fault, such as `messages[0].content` */
  param?: string | null;
  /** absent: by the status */
  type?: ErrorType;
  /** what is answered instead, word for word, where a server behind has written it */
  body?: ErrorBody;
}

/**
 * A request that cannot be answered as it is. Its code in lower case is the answer's, so that `MODEL_NOT_FOUND` is answered
 * `model_not_found`; its message goes to whoever asked, and into no log.
 */
export class RefusedRequest extends InvalidInputError {
  readonly status: number;
  readonly param: string | null;
  readonly type: ErrorType | null;
  readonly body: ErrorBody | null;

  constructor(
    code: string,
    message: string,
    { status = 400, param = null, type, body }: Refusal = {},
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.status = status;
    this.param = param;
    this.type = type ?? null;
    this.body = body ?? null;
  }
}

/** What else than the message the answer to a postponed request says. */
export interface Postponement {
  status: 429 | 503;
  /** at least 1 */
  retryAfterSeconds: number;
  /** absent: by the status */
  type?: ErrorType;
}

/** A request that would be answered at another time, with Retry-After. */
export class PostponedRequest extends TransientError {
  readonly status: 429 | 503;
  readonly retryAfterSeconds: number;
  readonly type: ErrorType | null;

  constructor(
    code: string,
    message: string,
    { status, retryAfterSeconds, type }: Postponement,
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
    this.type = type ?? null;
  }
}
