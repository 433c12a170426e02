import { namedError } from "./named-error.ts";

/** Calls an SQS operation of fauxqs, which checks no signatures, so that starting up loads no SDK. */
export type QueueRequest = <T = Record<string, unknown>>(
  operation: string,
  input: object,
  signal?: AbortSignal,
) => Promise<T>;

export function queueRequests(url: string): QueueRequest {
  return async (operation, input, signal) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${operation}` },
      body: JSON.stringify(input),
      signal,
    });
    const body = (await response.json()) as Record<string, unknown>;
    if (!response.ok)
      throw namedError(`SQS.${String(body.__type).split("#").pop()}`, String(body.message ?? operation));
    return body as never;
  };
}
