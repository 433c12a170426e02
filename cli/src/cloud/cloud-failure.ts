import { isPassing } from "@fedmkt/shared/adapters/aws/aws-failure.ts";
import { FedmktError, InvalidInputError, TransientError } from "@fedmkt/shared/core/errors.ts";

interface SdkError extends Error {
  $metadata?: { httpStatusCode?: number };
}

const NO_CREDENTIALS = new Set(["CredentialsProviderError"]);
const BAD_CREDENTIALS = new Set([
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidAccessKeyId",
  "InvalidClientTokenId",
  "SignatureDoesNotMatch",
  "UnrecognizedClientException",
]);
const DENIED = /^(AccessDenied|AccessDeniedException|Forbidden|UnauthorizedOperation|AuthorizationError)$/;

/**
 * An SDK error as one sentence that says what to do.
 * @param action - as IAM names it, such as `states:StartExecution`
 * @param place - what it was to be done to
 */
export function cloudFailure(action: string, place: string, cause: unknown): Error {
  if (cause instanceof FedmktError) return cause;
  const error = cause as SdkError;
  const status = error.$metadata?.httpStatusCode;
  if (NO_CREDENTIALS.has(error.name))
    return new InvalidInputError(
      "CREDENTIALS_MISSING",
      `expected AWS credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, or aws sso login), found none (${error.message})`,
      { cause },
    );
  if (BAD_CREDENTIALS.has(error.name))
    return new InvalidInputError(
      "CREDENTIALS_REFUSED",
      `AWS does not accept the credentials (${error.name}: ${error.message}); sign in again`,
      { cause },
    );
  if (DENIED.test(error.name) || status === 403)
    return new InvalidInputError(
      "ACCESS_DENIED",
      `access denied: these credentials may not do ${action} on ${place} (${error.message})`,
      { cause },
    );
  if (!isPassing(cause))
    return new InvalidInputError(
      "REQUEST_REFUSED",
      `${action} on ${place} was refused (${error.name}: ${error.message})`,
      { cause },
    );
  return new TransientError(
    "AWS_UNAVAILABLE",
    `${action} on ${place}: ${error.name}: ${error.message || "no answer"}${endpointHint()}`,
    { cause },
  );
}

function endpointHint(): string {
  const endpoint = process.env.AWS_ENDPOINT_URL;
  return endpoint === undefined ? "" : ` (AWS_ENDPOINT_URL is ${endpoint})`;
}

/** Does one thing at AWS, its errors told as {@link cloudFailure}. */
export async function attempt<T>(action: string, place: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw cloudFailure(action, place, cause);
  }
}
