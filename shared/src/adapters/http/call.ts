import type { FastifyRequest } from "fastify";
import type { Usage } from "../../contracts/openai/usage.ts";
import type { KeyHolder } from "../../ports/key-chain.ts";

/** A request from its headers to its end, and what is told of it in logs and metrics: never what it says. */
export interface Call {
  /** as `nowMs` */
  readonly startedMs: number;
  /** aborted when the client goes, or the layer closes */
  readonly gone: AbortController;
  /** null before the key was looked at, or where there is none that holds */
  holder: KeyHolder | null;
  /** the served name that it asks; empty: none, or one that is not served */
  model: string;
  /** for its turn; null: it waited for none */
  waitedMs: number | null;
  /** from its beginning to the first token that was told; null: none was */
  firstTokenMs: number | null;
  usage: Usage | null;
  /** by what error it was answered: our code for it, and what was told, which is a server behind's where that refused it */
  refusal: { code: string; told: string } | null;
}

declare module "fastify" {
  interface FastifyRequest {
    call: Call;
  }
}

export function beginCall(nowMs: number): Call {
  return {
    startedMs: nowMs,
    gone: new AbortController(),
    holder: null,
    model: "",
    waitedMs: null,
    firstTokenMs: null,
    usage: null,
    refusal: null,
  };
}

/** A request's line in the log. */
export function describeCall(
  { id, method }: FastifyRequest,
  call: Call,
  route: string,
  status: string,
  totalMs: number,
) {
  const whole = (ms: number | null) => (ms === null ? undefined : Math.round(ms));
  return {
    requestId: id,
    key: call.holder?.id,
    method,
    route,
    model: call.model || undefined,
    status,
    refusal: call.refusal?.told,
    waitedMs: whole(call.waitedMs),
    firstTokenMs: whole(call.firstTokenMs),
    totalMs: whole(totalMs),
    promptTokens: call.usage?.prompt_tokens,
    completionTokens: call.usage?.completion_tokens,
  };
}
