import { createServer, type Server } from "node:http";
import type { ServingMetrics } from "./serving-metrics.ts";

const PATH = "/metrics";

/** Answers `GET /metrics` and nothing else, without a key: its port is for whoever watches, and is not published. */
export function createMetricsServer(metrics: ServingMetrics): Server {
  return createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, (request, response) => {
    const { method, url = "" } = request;
    if (url.split("?")[0] !== PATH) response.writeHead(404).end();
    else if (method !== "GET" && method !== "HEAD") response.writeHead(405, { allow: "GET, HEAD" }).end();
    else
      metrics.write().then(
        (text) => response.writeHead(200, { "content-type": metrics.registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
  });
}
