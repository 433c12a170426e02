import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { Server as SecureServer } from "node:https";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { type ErrorBody, PostponedRequest, RefusedRequest } from "../../contracts/openai/errors.ts";
import { FairQueue, type QueueState } from "../../core/serving/fair-queue.ts";
import { addAnswerRoutes } from "./answer-route.ts";
import { authorise } from "./authorise.ts";
import { beginCall, type Call, describeCall } from "./call.ts";
import { answerBrokenRequest, answerError, describeFailure } from "./error-answers.ts";
import { limitStall, NEVER } from "./event-stream.ts";
import { createHttpServer, listen, writeUrl } from "./http-server.ts";
import {
  type Certificate,
  HTTP_LIMITS,
  type HttpDependencies,
  type HttpLimits,
  type HttpSettings,
} from "./http-settings.ts";
import { createMetricsServer } from "./metrics-server.ts";
import { addAdapterRoutes, addNameRoutes, addProbeRoutes } from "./plain-routes.ts";
import { RateExceeded, Rates } from "./rates.ts";
import { readBodies } from "./read-body.ts";
import { refuseForeignHost } from "./refuse-foreign-host.ts";
import { ServingMetrics } from "./serving-metrics.ts";

/** How long answers that were cut off have to say so, and requests half sent to be whole. */
const LAST_WORDS_MS = 1000;
/** What a client may choose its request's id of. */
const REQUEST_ID = /^[\w.:-]{1,128}$/;
/** As much of a path that is not there as its refusal repeats. */
const MAX_TOLD_PATH = 256;
const PROBES: ReadonlySet<string | undefined> = new Set(["/health", "/ready"]);

/** How the layer ended. */
export interface ClosedHttp {
  /** requests that were answered, whatever their answer was, since it began */
  answered: number;
  /** answers that were under way when the time was over */
  cutOff: number;
}

/** OpenAI's API, listening. */
export interface HttpLayer {
  /** `http://127.0.0.1:8080`, without a path */
  url: string;
  metricsUrl: string | null;
  state(): QueueState;
  /** of the answers that may be computed at once, those that are: from 0 to 1 */
  busyShare(): number;
  /** Takes up a renewed certificate for connections to come. */
  renewCertificate(certificate: Certificate): void;
  /** From now on `/ready` says 503, and every answer that its connection ends with it; requests are still taken. */
  drain(): void;
  /**
   * Drains, takes no more connections, and waits until all is answered. What is not answered then is cut off: its stream ends with an
   * error, others are answered 503. Calls after the first wait for the same end.
   */
  close(deadlineMs: number): Promise<ClosedHttp>;
}

/** @throws the error of `listen`, such as EADDRINUSE */
export async function startHttpLayer(dependencies: HttpDependencies, settings: HttpSettings): Promise<HttpLayer> {
  const limits: HttpLimits = { ...HTTP_LIMITS, ...settings.limits };
  const nowMs = dependencies.nowMs ?? (() => performance.now());
  const queue = new FairQueue(settings);
  const rates = new Rates();
  const metrics = new ServingMetrics(() => queue.state, dependencies.names);
  const calls = new Set<Call>();
  let answered = 0;
  let isDraining = false;
  let answeredAll = Promise.withResolvers<void>();

  /** the newest answer of each connection */
  const answers = new WeakMap<Socket, ServerResponse>();
  let server!: Server;
  const app: FastifyInstance = fastify({
    serverFactory: (handler) => {
      server = createHttpServer(handler as RequestListener, settings.tls, limits);
      return server;
    },
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket, answers.get(socket)),
    rewriteUrl: ({ url = "/" }) => (isWhole(url) ? url : NOWHERE),
    genReqId: (request: IncomingMessage) => requestId(request, dependencies.newRequestId),
    bodyLimit: limits.bodyBytes,
    routerOptions: { maxParamLength: limits.headerBytes },
  });

  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const { status, code, body, retryAfterSeconds } = answerError(error);
    request.call.refusal = { code, told: nameRefusal(body) };
    if (status === 500)
      dependencies.log.error("a request failed", { requestId: request.id, ...describeFailure(error) });
    reply.code(status);
    reply.header("x-request-id", request.id);
    if (error instanceof RateExceeded) reply.headers(error.headers);
    if (retryAfterSeconds !== null) reply.header("retry-after", String(retryAfterSeconds));
    // what it was about to send is not read
    if (status === 401) reply.headers({ "www-authenticate": "Bearer", connection: "close" });
    return reply.send(body);
  };

  const finish = (request: FastifyRequest, reply: FastifyReply) => {
    const { call, routeOptions } = request;
    const { raw } = reply;
    // an answer behind this one may still be computed: its silence is no stall
    const newest = answers.get(request.raw.socket);
    if (newest !== raw && newest?.writableEnded === false) limitStall(reply, NEVER);
    if (!raw.writableFinished) call.gone.abort(new PostponedRequest("CLIENT_GONE", "the client went", GONE));
    else answered++;
    calls.delete(call);
    if (isDraining) setImmediate(() => server.closeIdleConnections());
    if (calls.size === 0) answeredAll.resolve();
    if (PROBES.has(routeOptions.url)) return;
    const status = raw.writableFinished ? String(raw.statusCode) : "gone";
    const totalMs = nowMs() - call.startedMs;
    const route = routeOptions.url ?? "other";
    metrics.ended(call, route, status, totalMs);
    dependencies.log.info("request", describeCall(request, call, route, status, totalMs));
  };

  app.decorateRequest("call", null as unknown as Call);
  app.addHook("onRequest", async (request, reply) => {
    const call = beginCall(nowMs());
    request.call = call;
    calls.add(call);
    answers.set(request.raw.socket, reply.raw);
    reply.raw.once("close", () => finish(request, reply));
    reply.header("x-request-id", request.id);
    if (isDraining) reply.header("connection", "close");
    if (dependencies.keys === null) refuseForeignHost(request.headers.host, settings.host);
    if (PROBES.has(request.routeOptions.url)) return;
    call.holder = authorise(dependencies.keys, request.headers.authorization);
    reply.headers(await rates.take(call.holder));
  });
  app.addHook("onSend", async (_, reply) => limitStall(reply, limits.stallMs));
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply));

  const methods = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    methods.set(url, known);
    for (const one of [method].flat()) known.add(one);
  });
  app.setNotFoundHandler((request, reply) => {
    const [path] = request.url.split("?");
    const allowed = methods.get(path) ?? (path.startsWith("/v1/models/") ? methods.get("/v1/models/*") : undefined);
    if (allowed === undefined)
      throw new RefusedRequest(
        "ROUTE_NOT_FOUND",
        `expected a path of the API (${[...methods.keys()].join(", ")}), got ${path === NOWHERE ? "a malformed one" : path.slice(0, MAX_TOLD_PATH)}`,
        { status: 404 },
      );
    reply.header("allow", [...allowed, "OPTIONS"].join(", "));
    if (request.method === "OPTIONS") return reply.code(204).send();
    throw new RefusedRequest("METHOD_NOT_ALLOWED", `expected ${[...allowed].join(" or ")}, got ${request.method}`, {
      status: 405,
    });
  });

  readBodies(app);
  addProbeRoutes(app, () => dependencies.isReady() && !isDraining);
  addNameRoutes(app, dependencies.names, () => dependencies.isReady());
  if (dependencies.adapters !== null) addAdapterRoutes(app, dependencies.adapters, () => dependencies.isReady());
  const onFailure = ({ call, id }: FastifyRequest, error: unknown) => {
    const { status, code, body } = answerError(error);
    call.refusal = { code, told: nameRefusal(body) };
    if (status === 500 && !call.gone.signal.aborted)
      dependencies.log.error("an answer broke off", { requestId: id, ...describeFailure(error) });
  };
  addAnswerRoutes(app, { dependencies, settings, limits, queue, rates, nowMs, onFailure });
  await app.ready();

  const address = await listen(server, settings.port, settings.host);
  const metricsServer = settings.metricsPort === null ? null : createMetricsServer(metrics);
  const metricsAddress =
    metricsServer === null
      ? null
      : await listen(metricsServer, settings.metricsPort!, settings.host).catch((error) => {
          server.close();
          throw error;
        });

  const drain = () => {
    isDraining = true;
    server.closeIdleConnections();
  };
  const close = async (deadlineMs: number): Promise<ClosedHttp> => {
    drain();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    answeredAll = Promise.withResolvers();
    if (calls.size > 0) await settles(answeredAll.promise, deadlineMs);
    const cutOff = calls.size;
    const reason = new PostponedRequest("SERVER_CLOSING", "the server ends: ask again", GONE);
    for (const { gone } of calls) gone.abort(reason);
    // also for connections on which a request is just being sent
    await settles(closed, LAST_WORDS_MS);
    server.closeAllConnections();
    await closed;
    await app.close();
    if (metricsServer !== null) {
      metricsServer.closeAllConnections();
      await new Promise((resolve) => metricsServer.close(resolve));
    }
    return { answered, cutOff };
  };
  let closing: Promise<ClosedHttp> | null = null;
  return {
    url: writeUrl(settings.tls === null ? "http" : "https", settings.host, address),
    metricsUrl: metricsAddress === null ? null : `${writeUrl("http", settings.host, metricsAddress)}/metrics`,
    state: () => queue.state,
    busyShare: () => queue.busyShare,
    renewCertificate: ({ certificate, key }) => {
      if (server instanceof SecureServer) server.setSecureContext({ cert: certificate, key });
    },
    drain,
    close: (deadlineMs) => {
      closing ??= close(deadlineMs);
      return closing;
    },
  };
}

const GONE = { status: 503, retryAfterSeconds: 1 } as const;

/** Where a path leads whose escapes are broken: the router would answer it before the key was looked at. */
const NOWHERE = "/%20";

function isWhole(url: string): boolean {
  try {
    decodeURIComponent(url);
    return true;
  } catch {
    return false;
  }
}

function requestId({ headers }: IncomingMessage, newRequestId: (() => string) | undefined): string {
  const { "x-request-id": chosen } = headers;
  if (typeof chosen === "string" && REQUEST_ID.test(chosen)) return chosen;
  return newRequestId?.() ?? `req_${randomUUID().replaceAll("-", "")}`;
}

/** Of a server behind that has only a status for a code, its kind. */
function nameRefusal({ error: { code, type } }: ErrorBody): string {
  return typeof code === "string" ? code : type;
}

/** Whether it settles in time. */
async function settles(promise: Promise<void>, withinMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), withinMs);
  try {
    return await Promise.race([promise.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
