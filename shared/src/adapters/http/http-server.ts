import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { answerExpectation } from "./error-answers.ts";
import type { Certificate, HttpLimits } from "./http-settings.ts";

/** A server that has the limits' patience, with TLS where there is a certificate. It does not listen yet. */
export function createHttpServer(handler: RequestListener, tls: Certificate | null, limits: HttpLimits): Server {
  const options = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.checkMs,
    keepAliveTimeout: limits.idleMs,
    // without one the request is answered like any other, by an error of the API's form
    requireHostHeader: false,
  };
  const server =
    tls === null
      ? createServer(options, handler)
      : createSecureServer(
          { ...options, cert: tls.certificate, key: tls.key, handshakeTimeout: limits.headersMs },
          handler,
        );
  server.maxConnections = limits.connections;
  server.on("checkExpectation", (_, response) => answerExpectation(response));
  return server;
}

/** @throws the error of `listen`, such as EADDRINUSE */
export async function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, host, resolve);
  await promise;
  server.removeListener("error", reject);
  return server.address() as AddressInfo;
}

/** Without a path. */
export function writeUrl(protocol: string, host: string, { port }: AddressInfo): string {
  return `${protocol}://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
}
