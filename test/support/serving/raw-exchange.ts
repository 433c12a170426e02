import { connect, type Socket } from "node:net";

export interface RawExchange {
  /** sent one after another */
  send: readonly (string | Uint8Array)[];
  /** between them */
  pauseMs?: number;
  /** how long the answer may take before the connection is cut from this side */
  withinMs?: number;
  /** cuts the connection after the last byte, without reading */
  cuts?: boolean;
  /** false: what comes back is left where it is, until this side cuts the connection */
  reads?: boolean;
}

/** Bytes over a bare connection, and all that comes back until the other side ends it. */
export function exchangeRaw(
  url: string,
  { send, pauseMs = 0, withinMs = 20_000, cuts = false, reads = true }: RawExchange,
): Promise<string> {
  const { hostname, port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<string>();
  const received: Buffer[] = [];
  const socket: Socket = connect(Number(port), hostname);
  const timer = setTimeout(() => socket.destroy(), withinMs);
  if (reads) socket.on("data", (bytes) => received.push(bytes));
  else socket.pause();
  // a reset is an end like any other
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  socket.on("close", () => {
    clearTimeout(timer);
    resolve(Buffer.concat(received).toString("latin1"));
  });
  socket.on("connect", async () => {
    for (const bytes of send) {
      if (socket.destroyed) return;
      socket.write(bytes);
      if (pauseMs > 0) await new Promise((next) => setTimeout(next, pauseMs));
    }
    if (cuts) socket.destroy();
  });
  return promise;
}

/** A request as it goes over the wire. */
export function writeRequest(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array = "",
): Buffer {
  const bytes = Buffer.from(body);
  const named = {
    host: "localhost",
    connection: "close",
    ...(bytes.length > 0 ? { "content-length": String(bytes.length) } : {}),
    ...headers,
  };
  const head = [
    `${method} ${path} HTTP/1.1`,
    ...Object.entries(named).map(([name, value]) => `${name}: ${value}`),
    "",
    "",
  ];
  return Buffer.concat([Buffer.from(head.join("\r\n")), bytes]);
}

/** The statuses of all answers in what came back. */
export function statusesOf(answer: string): number[] {
  return [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** The body of the first answer, as JSON. */
export function bodyOf(answer: string): unknown {
  return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
}
