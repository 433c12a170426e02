import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** A call as it came in. */
export interface ReceivedCall {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** parsed; null: none */
  body: Record<string, unknown> | null;
  /** resolves once the connection is closed, by whichever end */
  closed: Promise<void>;
}

/** A server on loopback that answers as it is told to. */
export interface ScriptedServer {
  url: string;
  calls: ReceivedCall[];
  /** the call that comes next to the path, perhaps one that has come */
  call(path: string): Promise<ReceivedCall>;
  close(): Promise<void>;
}

export type Script = (call: ReceivedCall, response: ServerResponse) => void | Promise<void>;

export async function scriptedServer(script: Script): Promise<ScriptedServer> {
  const calls: ReceivedCall[] = [];
  const waiting: (() => void)[] = [];
  const server: Server = createServer(async (request, response) => {
    const text = Buffer.concat(await request.toArray()).toString();
    const call: ReceivedCall = {
      ...{ method: request.method!, path: request.url!, headers: request.headers },
      body: text === "" ? null : JSON.parse(text),
      closed: closing(request, response),
    };
    calls.push(call);
    for (const wake of waiting.splice(0)) wake();
    await script(call, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async call(path) {
      for (;;) {
        const found = calls.find((one) => one.path === path);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function closing(request: IncomingMessage, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (request.socket.destroyed) resolve();
    response.once("close", () => resolve());
  });
}

/** @returns true, as a script that has answered */
export function answerJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): true {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
  return true;
}

/** Begins a stream of events. */
export function beginEvents(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
}

/** @param event - an object, or text as it is */
export function sendEvent(response: ServerResponse, event: object | string): void {
  response.write(`data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`);
}

/** Variables by which the AWS SDK takes a server for S3. */
export function s3At(url: string): Record<string, string> {
  return {
    ...{ AWS_ENDPOINT_URL_S3: url, AWS_REGION: "eu-central-1" },
    ...{ AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" },
  };
}
