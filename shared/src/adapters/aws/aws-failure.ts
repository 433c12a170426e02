import { InvalidInputError, TransientError } from "../../core/errors.ts";

/** Error names that mean "there is nothing at this place", by service. */
const MISSING = new Set(["NoSuchKey", "NotFound", "NoSuchBucket"]);
const FORBIDDEN = new Set([
  "AccessDenied",
  "AccessDeniedException",
  "Forbidden",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
]);

/** What passes with time, though many services answer it with 400: too many requests at once, credentials or a clock to be renewed. */
const PASSING =
  /^(Throttl|RequestThrottled|TooManyRequests|RequestLimitExceeded|BandwidthLimitExceeded|SlowDown|KMS\.Throttling|KmsThrottled|RequestTimeout|ExpiredToken|RequestExpired|RequestTimeTooSkewed)/;

/** What the SDK adds to its errors. */
interface SdkError extends Error {
  $metadata?: { httpStatusCode?: number };
}

/** The HTTP status of an SDK error; undefined where no answer came. */
export function statusOf(cause: unknown): number | undefined {
  return (cause as SdkError)?.$metadata?.httpStatusCode;
}

/** Whether the same request may succeed a little later. */
export function isPassing(cause: unknown): boolean {
  const status = statusOf(cause);
  if (hasPassingName(cause) || status === undefined) return true;
  // an answer that was begun well and broke off is no refusal
  return status < 300 || status >= 500 || status === 408 || status === 409 || status === 429;
}

function hasPassingName(cause: unknown): boolean {
  return PASSING.test((cause as Error)?.name ?? "");
}

export function isMissing(cause: unknown): boolean {
  return MISSING.has((cause as Error)?.name) || statusOf(cause) === 404;
}

/**
 * Translates an SDK error into one of ours, by what happens next: nothing there, not allowed and a refused request fail the
 * same way again (InvalidInputError); throttling, 5xx, credentials that have run out and a broken connection do not (TransientError).
 * The SDK has retried by then.
 * @param place - what was asked for, such as `s3://bucket/key`; it begins the message
 */
export function awsFailure(place: string, cause: unknown): InvalidInputError | TransientError {
  const error = cause as SdkError;
  const status = statusOf(cause);
  if (error.name === "NoSuchBucket")
    return new InvalidInputError("OBJECT_MISSING", `${place}: expected a bucket of this name, found none`, { cause });
  if (isMissing(cause))
    return new InvalidInputError("OBJECT_MISSING", `${place}: expected an object, found none`, { cause });
  if (!hasPassingName(cause) && (FORBIDDEN.has(error.name) || status === 401 || status === 403))
    return new InvalidInputError("ACCESS_DENIED", `${place}: access denied (${error.name})`, { cause });
  if (!isPassing(cause))
    return new InvalidInputError("REQUEST_REFUSED", `${place}: refused (${error.name}: ${error.message})`, { cause });
  return new TransientError("AWS_UNAVAILABLE", `${place}: ${error.name}: ${error.message}`, { cause });
}
