import type { IncomingMessage, ServerResponse } from "node:http";
import { toError } from "./named-error.ts";
import { readBody } from "./read-body.ts";

/** Answers a call of an AWS JSON service: the operation's name and its input. Throws errors whose name is the AWS error code. */
export type JsonApi = (operation: string, input: Record<string, unknown>) => unknown;

/** By the name that stands before the operation in `X-Amz-Target`. */
export type JsonServices = Readonly<Record<string, JsonApi>>;

/** @returns false where the request is for none of these services */
export async function answerJson(
  services: JsonServices,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const [service, operation] = String(request.headers["x-amz-target"] ?? "").split(".");
  const api = services[service!];
  if (!api || operation === undefined) return false;
  let status = 200;
  let answered: unknown;
  try {
    const body = (await readBody(request)).toString("utf8");
    answered = await api(operation, JSON.parse(body || "{}") as Record<string, unknown>);
  } catch (error) {
    status = 400;
    answered = { __type: toError(error).name, message: toError(error).message };
  }
  response
    .writeHead(status, { "content-type": request.headers["content-type"] ?? "application/x-amz-json-1.0" })
    .end(JSON.stringify(answered));
  return true;
}
