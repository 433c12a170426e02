import { Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from "prom-client";
import type { QueueState } from "../../core/serving/fair-queue.ts";
import type { ServedNames } from "../../ports/served-names.ts";
import type { Call } from "./call.ts";

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/**
 * What Prometheus reads. Labels are routes, served names, statuses and codes of ours: no more of them than there are of those. A name
 * that is served no more is told once more, and then forgotten.
 */
export class ServingMetrics {
  readonly registry = new Registry();
  readonly #names: ServedNames;
  #vanished = new Set<string>();
  readonly #requests: Counter<"route" | "model" | "status">;
  readonly #refused: Counter<"code">;
  readonly #requestSeconds: Histogram<"route">;
  readonly #queueSeconds: Histogram;
  readonly #firstTokenSeconds: Histogram<"model">;
  readonly #promptTokens: Counter<"model">;
  readonly #cachedTokens: Counter<"model">;
  readonly #completionTokens: Counter<"model">;

  constructor(queue: () => QueueState, names: ServedNames) {
    this.#names = names;
    const registers = [this.registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Counter({ name: `fedmkt_${name}`, help, labelNames, registers });
    const seconds = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Histogram({ name: `fedmkt_${name}`, help, labelNames, buckets: SECONDS, registers });
    const gauge = <L extends string>(name: string, help: string, labelNames: L[], collect: (this: Gauge<L>) => void) =>
      new Gauge({ name: `fedmkt_${name}`, help, labelNames, collect, registers });
    this.#requests = counter("requests_total", "Requests that have ended", ["route", "model", "status"]);
    this.#refused = counter("refused_total", "Requests answered by an error", ["code"]);
    this.#requestSeconds = seconds("request_seconds", "From a request's headers to the end of its answer", ["route"]);
    this.#queueSeconds = seconds("queue_seconds", "How long requests waited for their turn", []);
    this.#firstTokenSeconds = seconds("first_token_seconds", "From a request's headers to its first token", ["model"]);
    this.#promptTokens = counter("prompt_tokens_total", "Tokens of prompts", ["model"]);
    this.#cachedTokens = counter("cached_tokens_total", "Tokens of prompts that were not computed anew", ["model"]);
    this.#completionTokens = counter("completion_tokens_total", "Tokens of answers", ["model"]);
    gauge("requests_running", "Requests at work", [], function () {
      this.set(queue().running);
    });
    gauge("requests_waiting", "Requests that wait for their turn", [], function () {
      this.set(queue().waiting);
    });
    gauge("adapters", "Adapters, served or refused", ["state"], function () {
      this.set({ state: "served" }, names.list().filter(({ parent }) => parent !== null).length);
      this.set({ state: "refused" }, names.registry().refused.length);
    });
    gauge("registry_read_timestamp_seconds", "When the registry was read last, or 0", [], function () {
      this.set(Date.parse(names.registry().readAt ?? new Date(0).toISOString()) / 1000);
    });
    collectDefaultMetrics({ register: this.registry });
  }

  /** As it stands now, in Prometheus' text form. */
  async write(): Promise<string> {
    await this.#forgetVanished();
    return this.registry.metrics();
  }

  async #forgetVanished(): Promise<void> {
    const served = new Set(["", ...this.#names.list().map(({ id }) => id)]);
    const vanished = new Set<string>();
    const metrics: Metric[] = [
      ...[this.#requests, this.#firstTokenSeconds],
      ...[this.#promptTokens, this.#cachedTokens, this.#completionTokens],
    ];
    for (const metric of metrics)
      for (const { labels } of (await metric.get()).values) {
        // what a histogram has beside the labels that it was given
        const { le: _, ...own } = labels;
        const model = String(own.model);
        if (served.has(model)) continue;
        vanished.add(model);
        if (this.#vanished.has(model)) metric.remove(own);
      }
    this.#vanished = vanished;
  }

  /** @param status - `gone` where the client went before its answer ended */
  ended({ model, waitedMs, firstTokenMs, usage, refusal }: Call, route: string, status: string, totalMs: number): void {
    this.#requests.inc({ route, model, status });
    this.#requestSeconds.observe({ route }, totalMs / 1000);
    if (refusal !== null) this.#refused.inc({ code: refusal.code });
    if (waitedMs !== null) this.#queueSeconds.observe(waitedMs / 1000);
    if (firstTokenMs !== null) this.#firstTokenSeconds.observe({ model }, firstTokenMs / 1000);
    if (usage === null) return;
    this.#promptTokens.inc({ model }, usage.prompt_tokens);
    this.#cachedTokens.inc({ model }, usage.prompt_tokens_details?.cached_tokens ?? 0);
    this.#completionTokens.inc({ model }, usage.completion_tokens);
  }
}
