import path from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { type HttpLayer, startHttpLayer } from "@fedmkt/shared/adapters/http/start-http-layer.ts";
import { FileMaterial } from "@fedmkt/shared/adapters/material/file-material.ts";
import { isLoopback } from "@fedmkt/shared/contracts/loopback.ts";
import { type ServingEnvironment, servingEnvironment } from "@fedmkt/shared/contracts/serving-environment.ts";
import { InvalidInputError, TransientError } from "@fedmkt/shared/core/errors.ts";
import type { Inference } from "@fedmkt/shared/ports/inference.ts";
import type { RuntimeAdapters } from "@fedmkt/shared/ports/served-names.ts";
import { writeEndpointMetrics } from "@fedmkt/shared/runtime/endpoint-metrics.ts";
import { issues } from "@fedmkt/shared/runtime/stage-failure.ts";
import { NameTable } from "@fedmkt/shared/use-cases/serving/name-table.ts";
import { NamedByHand } from "@fedmkt/shared/use-cases/serving/runtime-adapters.ts";
import { listenFailure } from "./listen-failure.ts";
import { openComputing } from "./open-computing.ts";
import { openKeys } from "./open-keys.ts";
import { refuseMissingRegistry } from "./refuse-missing-registry.ts";
import { serveAdapters } from "./serve-adapters.ts";
import type { Drained, Serving, ServingLogger, StartServing } from "./serving.ts";
import { followTls, isSelfSigned, readTls } from "./tls-files.ts";

/** How often a server behind is asked whether it is there yet. */
const ASK_AGAIN_MS = 1000;
/** Until a load balancer has seen that `/ready` says 503, and has told those that it sends requests to. */
const PAUSE_MS = 5_000;
/** For answers that are cut off at once. */
const NO_TIME_MS = 0;

/** What is there once the model is open; until then requests are answered 503. */
interface Opened {
  inference: Inference;
  names: NameTable;
  adapters: RuntimeAdapters | null;
}

/**
 * Starts an inference endpoint in this process: keys, rates, fair queue and OpenAI's API in front of the engine, or of a server behind.
 * It listens first, so that whoever looks after it sees it live while the model is opened, and resolves once it answers.
 *
 * @throws InvalidInputError with what is wrong with the settings, a file or the model; TransientError; the signal's reason
 */
export async function startServing(options: StartServing): Promise<Serving> {
  /** in the order in which they were begun; ended the other way round */
  const endings: (() => unknown)[] = [];
  const end = async () => {
    for (const ending of endings.reverse()) await ending();
  };
  let ended: Promise<void> | null = null;
  const endAll = () => {
    ended ??= end();
    return ended;
  };
  try {
    return await start(options, endings, endAll);
  } catch (error) {
    await endAll();
    throw error;
  }
}

async function start(
  { variables, logger, makesKey, signal = new AbortController().signal }: StartServing,
  endings: (() => unknown)[],
  endAll: () => Promise<void>,
): Promise<Serving> {
  const settings = readSettings(variables);
  refuseMissingRegistry(settings);
  const tls = tlsPlaces(settings);
  const certificate = tls === null ? null : await readTls(tls);
  const keys = await openKeys(settings, makesKey, logger);
  endings.push(keys.close);

  let opened: Opened | null = null;
  const metrics = measure(settings, () => http.busyShare());
  endings.push(() => metrics?.close());
  const http: HttpLayer = await startHttpLayer(
    {
      inference: { answer: (...asked) => opened!.inference.answer(...asked) },
      names: {
        list: () => opened?.names.list() ?? [],
        resolve: (model) => opened?.names.resolve(model) ?? null,
        registry: () => opened?.names.registry() ?? { readAt: null, failure: null, refused: [] },
      },
      keys: keys.chain,
      adapters: settings.FEDMKT_SERVE_RUNTIME_ADAPTERS === undefined ? null : late(() => opened!.adapters!),
      isReady: () => opened !== null,
      log: logger,
      onWaited: (seconds) => metrics?.waited(seconds),
    },
    {
      host: settings.FEDMKT_SERVE_HOST,
      port: settings.FEDMKT_SERVE_PORT,
      metricsPort: settings.FEDMKT_SERVE_METRICS_PORT === 0 ? null : settings.FEDMKT_SERVE_METRICS_PORT,
      concurrent: settings.FEDMKT_SERVE_CONCURRENT,
      queued: settings.FEDMKT_SERVE_QUEUED,
      otherFields: settings.FEDMKT_SERVE_UPSTREAM === undefined ? "refuse" : "pass",
      tls: certificate,
    },
  ).catch((error) => {
    throw listenFailure(error, settings);
  });
  endings.push(() => http.close(NO_TIME_MS));
  if (tls !== null) endings.push(followTls(tls, certificate!, (files) => http.renewCertificate(files), logger));

  signal.throwIfAborted();
  const computing = await unlessStopped(openComputing(settings, logger), signal, (late) => late.close());
  endings.push(() => computing.close());
  const model = await whenThere(() => computing.inference.describe(), logger, signal);
  const { FEDMKT_SERVE_CONTEXT: asked } = settings;
  if (asked !== undefined && asked > model.contextTokens)
    logger.warn("the model reads fewer tokens than are asked for", { asked, contextTokens: model.contextTokens });
  const names = new NameTable(computing.inference, model, Date.now);
  const adapters = await whenThere(
    () => serveAdapters({ settings, computing, names, logger, onRefused: () => metrics?.adapterRefused() }),
    logger,
    signal,
  );
  endings.push(() => adapters.close());
  opened = { inference: computing.inference, names, adapters: byHand(settings, names, logger) };

  let draining: Promise<Drained> | null = null;
  const drain = async (): Promise<Drained> => {
    http.drain();
    await sleep(pauseMs(settings));
    const ended = await http.close(settings.FEDMKT_SERVE_DRAIN_SECONDS * 1000);
    if (ended.cutOff > 0) logger.warn("answers were cut off: they took too long", { answers: ended.cutOff });
    await endAll();
    return ended;
  };
  return {
    url: http.url,
    metricsUrl: http.metricsUrl,
    model,
    adapters: names.list().flatMap(({ id, parent }) => (parent === null ? [] : [id])),
    hasChat: computing.hasChat,
    key: keys.made,
    asksForKeys: keys.chain !== null,
    certificate: certificate !== null && isSelfSigned(certificate) ? tls!.certificate : null,
    memory: computing.room,
    drain: () => {
      draining ??= drain();
      return draining;
    },
    close: async () => {
      if (draining !== null) await draining;
      await http.close(NO_TIME_MS);
      await endAll();
    },
  };
}

/** @throws InvalidInputError `ENVIRONMENT_INVALID` naming the variables */
function readSettings(variables: NodeJS.ProcessEnv): ServingEnvironment {
  const result = servingEnvironment.safeParse(variables);
  if (result.success) return result.data;
  throw new InvalidInputError("ENVIRONMENT_INVALID", `environment: ${issues(result.error)}`);
}

function tlsPlaces({ FEDMKT_SERVE_TLS_CERTIFICATE: certificate, FEDMKT_SERVE_TLS_KEY: key }: ServingEnvironment) {
  return certificate === undefined || key === undefined ? null : { certificate, key };
}

function pauseMs({ FEDMKT_SERVE_PAUSE_SECONDS: seconds, FEDMKT_SERVE_HOST: host }: ServingEnvironment): number {
  if (seconds !== undefined) return seconds * 1000;
  return isLoopback(host) ? 0 : PAUSE_MS;
}

function measure({ FEDMKT_SERVE_MEASURED_AS: name }: ServingEnvironment, busyShare: () => number) {
  return name === undefined ? null : writeEndpointMetrics(name, busyShare);
}

/**
 * Does not wait on for what is being opened, which may take minutes, once the signal has come.
 * @param end - of what is open when nobody waits for it any more
 * @throws the signal's reason
 */
async function unlessStopped<T>(opening: Promise<T>, signal: AbortSignal, end: (late: T) => Promise<void>): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = () => {
    reject(signal.reason);
    opening.then(end).catch(() => {});
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([opening, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A server behind may come later, and be away for a while: it is asked again until it is there, which is told once. */
async function whenThere<T>(ask: () => Promise<T>, logger: ServingLogger, signal: AbortSignal): Promise<T> {
  const sinceMs = performance.now();
  for (let told = false; ; told = true) {
    signal.throwIfAborted();
    try {
      const answer = await ask();
      if (told) logger.info("it is there now", { afterSeconds: Math.round((performance.now() - sinceMs) / 1000) });
      return answer;
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (!told) logger.warn("not there yet: asked again every second", { code: error.code, reason: error.message });
    }
    await sleep(ASK_AGAIN_MS, undefined, { signal }).catch(() => {});
  }
}

function byHand({ FEDMKT_SERVE_RUNTIME_ADAPTERS: given }: ServingEnvironment, names: NameTable, logger: ServingLogger) {
  if (given === undefined) return null;
  const root = path.resolve(given);
  return new NamedByHand(names, new FileMaterial(root), root, logger);
}

/** Those that are there by the time they are asked for. */
function late(adapters: () => RuntimeAdapters): RuntimeAdapters {
  return {
    load: (name, folder, inPlace) => adapters().load(name, folder, inPlace),
    unload: (name) => adapters().unload(name),
  };
}
