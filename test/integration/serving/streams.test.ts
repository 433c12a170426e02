import { connect } from "node:net";
import { afterEach, describe, expect, it } from "@jest/globals";
import { exchangeRaw, statusesOf, writeRequest } from "../../support/serving/raw-exchange.ts";
import { sayAndWait } from "../../support/serving/scripted-inference.ts";
import { KEY, type StartedLayer, startLayer, until } from "../../support/serving/started-layer.ts";

const started: StartedLayer[] = [];

async function start(...options: Parameters<typeof startLayer>): Promise<StartedLayer> {
  const layer = await startLayer(...options);
  started.push(layer);
  return layer;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((layer) => layer.close(0)));
});

const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };

const ask = (layer: StartedLayer, more: Record<string, unknown> = {}, signal?: AbortSignal) =>
  fetch(`${layer.url}/v1/completions`, {
    method: "POST",
    headers,
    body: JSON.stringify({ model: "base", prompt: "x", ...more }),
    ...(signal === undefined ? {} : { signal }),
  });

const request = (more: Record<string, unknown> = {}) =>
  writeRequest(
    "POST",
    "/v1/completions",
    headers,
    JSON.stringify({ model: "base", prompt: "x", stream: true, ...more }),
  );

/** Says what it is told to, when it is told to. */
function spoken() {
  const queue: (string | null)[] = [];
  let wake = () => {};
  return {
    say: (piece: string | null) => {
      queue.push(piece);
      wake();
    },
    script: async function* (_: unknown, __: unknown, signal: AbortSignal): AsyncGenerator<string> {
      for (;;) {
        while (queue.length === 0) {
          signal.throwIfAborted();
          await new Promise<void>((resolve) => {
            wake = resolve;
            signal.addEventListener("abort", () => resolve(), { once: true });
          });
        }
        const piece = queue.shift()!;
        if (piece === null) return;
        yield piece;
      }
    },
  };
}

describe("a stream", () => {
  it("is server-sent events that end with [DONE], the usage last where it is asked for", async () => {
    const layer = await start();
    const response = await ask(layer, { stream: true, stream_options: { include_usage: true } });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-cache");
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
    const events = (await response.text()).split("\n\n");
    expect(events.splice(-2)).toEqual(["data: [DONE]", ""]);
    const objects = events.map((event) => JSON.parse(event.replace(/^data: /, "")));
    expect(objects.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(objects.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 10 } });
  });

  it("tells a piece as soon as it is there", async () => {
    const layer = await start();
    const { say, script } = spoken();
    layer.inference.script(script);
    say("first");
    const response = await ask(layer, { stream: true });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toContain('"text":"first"');
    say("second");
    expect((await reader.read()).value).toContain('"text":"second"');
    say(null);
    const rest = [];
    for (let next = await reader.read(); !next.done; next = await reader.read()) rest.push(next.value);
    expect(rest.join("")).toMatch(/data: \[DONE\]\n\n$/);
  });

  it("sends comments while there is nothing to tell, also while it waits for its turn", async () => {
    const layer = await start({ concurrent: 1, limits: { keepAliveMs: 20 } });
    const { say, script } = spoken();
    layer.inference.script(script);
    const [first, second] = await Promise.all([ask(layer, { stream: true }), ask(layer, { stream: true })]);
    expect(layer.state()).toEqual({ running: 1, waiting: 1 });
    const reader = second.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toMatch(/^(: keep-alive\n\n)+$/);
    for (const piece of ["a", null, "b", null]) say(piece);
    expect(await first.text()).toMatch(/^(: keep-alive\n\n)+data: \{.*"text":"a"/);
    let text = "";
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
    expect(text).toContain('"text":"b"');
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
  });

  it("tells an error after a comment in the stream, since its status is sent", async () => {
    const layer = await start({ limits: { keepAliveMs: 10 } });
    const { say, script } = spoken();
    layer.inference.script(async function* (...asked) {
      for await (const piece of script(...asked)) {
        if (piece.startsWith("secret")) throw new Error(piece);
        yield piece;
      }
    });
    const response = await ask(layer, { stream: true });
    expect(response.status).toBe(200);
    say("secret");
    const text = await response.text();
    expect(text).toMatch(/^(: keep-alive\n\n)+data: \{"error":\{.*"code":"internal_error"\}\}\n\n$/);
    expect(text).not.toContain("secret");
  });

  it("is one where there is nothing to tell", async () => {
    const layer = await start();
    layer.inference.answer = async function* () {
      const usage = { prompt_tokens: 1, completion_tokens: 0, total_tokens: 1 };
      yield { id: "cmpl-1", object: "text_completion", created: 1, model: "base", choices: [], usage };
    };
    const response = await ask(layer, { stream: true });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(await response.text()).toBe("data: [DONE]\n\n");
  });

  it("is not an answer where whatever computes ends without its usage", async () => {
    const layer = await start();
    layer.inference.answer = async function* () {
      yield {
        id: "cmpl-1",
        object: "text_completion",
        created: 1,
        model: "base",
        choices: [{ index: 0, text: "half" }],
      };
    };
    const text = await (await ask(layer, { stream: true })).text();
    expect(text).toContain("half");
    expect(text).toContain('"code":"internal_error"');
    expect(text).not.toContain("[DONE]");
    expect((await ask(layer)).status).toBe(500);
  });
});

describe("a reader", () => {
  const PIECE = "x".repeat(64 * 1024);

  it("that does not read makes nothing be computed in advance, and is cut off after a while", async () => {
    const layer = await start({ limits: { stallMs: 300 } });
    let made = 0;
    layer.inference.script(async function* () {
      for (; made < 100_000; made++) yield PIECE;
    });
    const { hostname, port } = new URL(layer.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.pause();
    socket.write(request());
    await until(() => made > 0);
    await until(() => layer.state().running === 0);
    // what the connection's own buffers hold, here and in the kernel: a few megabytes, not the six gigabytes of the answer
    expect(made * PIECE.length).toBeLessThan(32 * 1024 * 1024);
    expect(layer.inference.asked[0].signal.aborted).toBe(true);
    expect(layer.names.held).toBe(0);
    socket.destroy();
    await until(() => layer.log.some((line) => line.includes('"status":"gone"')));
  });

  it("that reads slowly, but does, is waited for", async () => {
    const layer = await start({ limits: { stallMs: 400 } });
    layer.inference.script(async function* () {
      for (let piece = 0; piece < 200; piece++) yield PIECE;
    });
    const { hostname, port } = new URL(layer.url);
    const socket = connect(Number(port), hostname);
    let bytes = 0;
    let tail = "";
    const ended = new Promise((resolve) => socket.on("close", resolve));
    socket.on("data", (data) => {
      bytes += data.length;
      tail = (tail + data.toString("latin1")).slice(-40);
      socket.pause();
      setTimeout(() => socket.resume(), 3);
    });
    socket.on("end", () => socket.end());
    socket.write(request());
    await ended;
    expect(bytes).toBeGreaterThan(200 * PIECE.length);
    expect(tail).toContain("data: [DONE]");
  });

  it("that takes none of an answer that is not streamed is cut off too", async () => {
    const layer = await start({ limits: { stallMs: 200 } });
    layer.inference.script(async function* () {
      for (let piece = 0; piece < 200; piece++) yield PIECE;
    });
    const { hostname, port } = new URL(layer.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.pause();
    socket.write(request({ stream: false }));
    await until(() => layer.log.some((line) => line.includes('"status":"gone"')));
    socket.destroy();
  });

  it("that hangs up in the middle, or before it is answered, frees its place", async () => {
    const layer = await start({ concurrent: 1 });
    layer.inference.script(sayAndWait);
    for (const more of [{}, { stream: false }]) {
      const { hostname, port } = new URL(layer.url);
      const socket = connect(Number(port), hostname);
      socket.write(request(more));
      await until(() => layer.state().running === 1);
      socket.destroy();
      await until(() => layer.state().running === 0);
    }
    expect(layer.inference.running).toBe(0);
  });

  it("may send its next request before the answer to the one before: they are answered in order", async () => {
    const layer = await start();
    const keepAlive = { ...headers, connection: "keep-alive" };
    const body = (prompt: string) => JSON.stringify({ model: "base", prompt });
    const answer = await exchangeRaw(layer.url, {
      send: [
        Buffer.concat([
          writeRequest("POST", "/v1/completions", keepAlive, body("first")),
          writeRequest("GET", "/v1/models/base", keepAlive),
          writeRequest("POST", "/v1/completions", headers, body("last")),
        ]),
      ],
    });
    expect(statusesOf(answer)).toEqual([200, 200, 200]);
    expect(answer.indexOf('"id":"base"')).toBeGreaterThan(answer.indexOf("cmpl-1"));
  });
});

describe("an answer behind another on one connection", () => {
  it("may take longer than a reader may", async () => {
    const layer = await start({ limits: { stallMs: 100 } });
    const { say, script } = spoken();
    layer.inference.script(script);
    const keepAlive = { ...headers, connection: "keep-alive" };
    const body = JSON.stringify({ model: "base", prompt: "x" });
    const answering = exchangeRaw(layer.url, {
      send: [
        Buffer.concat([
          writeRequest("GET", "/v1/models", keepAlive),
          writeRequest("POST", "/v1/completions", headers, body),
        ]),
      ],
    });
    await until(() => layer.state().running === 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const piece of ["late", null]) say(piece);
    expect(statusesOf(await answering)).toEqual([200, 200]);
  });
});

describe("an endpoint that ends", () => {
  it("says that it is not ready, takes requests still, and closes each connection with its answer", async () => {
    const layer = await start();
    layer.drain();
    const ready = await fetch(`${layer.url}/ready`);
    expect([ready.status, ready.headers.get("connection")]).toEqual([503, "close"]);
    expect((await fetch(`${layer.url}/health`)).status).toBe(200);
    const whole = await ask(layer);
    expect([whole.status, whole.headers.get("connection")]).toEqual([200, "close"]);
    const streamed = await ask(layer, { stream: true });
    expect(streamed.headers.get("connection")).toBe("close");
    expect(await streamed.text()).toContain("[DONE]");
  });

  it("lets answers under way, and those that wait, come to their end, and takes no more connections", async () => {
    const layer = await start({ concurrent: 1 });
    const { say, script } = spoken();
    layer.inference.script(script);
    say("first");
    const streamed = await ask(layer, { stream: true });
    const waiting = ask(layer);
    await until(() => layer.state().waiting === 1);
    const closing = layer.close(10_000);
    await expect(ask(layer)).rejects.toThrow();
    for (const piece of ["second", null, "third", null]) say(piece);
    expect(await streamed.text()).toMatch(/"first"[\s\S]*"second"[\s\S]*\[DONE\]/);
    expect(((await (await waiting).json()) as { choices: { text: string }[] }).choices[0].text).toBe("third");
    expect(await closing).toEqual({ answered: 2, cutOff: 0 });
  });

  it("cuts off what is not answered by the deadline, and says so", async () => {
    const layer = await start({ concurrent: 2, metricsPort: 0 });
    layer.inference.script(sayAndWait);
    const streamed = await ask(layer, { stream: true });
    const whole = ask(layer);
    const waiting = ask(layer);
    await until(() => layer.state().waiting === 1);
    const closing = layer.close(50);
    expect(await streamed.text()).toMatch(/"Once"[\s\S]*"code":"server_closing"\}\}\n\n$/);
    for (const response of [await whole, await waiting]) {
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ error: { code: "server_closing" } });
    }
    expect(await closing).toEqual({ answered: 3, cutOff: 3 });
    expect(await layer.close(0)).toEqual({ answered: 3, cutOff: 3 });
    expect(layer.inference.running).toBe(0);
    await expect(fetch(layer.metricsUrl!)).rejects.toThrow();
  });

  it("says so to a reader that was behind, too", async () => {
    const layer = await start();
    let made = 0;
    layer.inference.script(async function* () {
      for (; ; made++) yield "x".repeat(64 * 1024);
    });
    const response = await ask(layer, { stream: true });
    let before = -1;
    await until(async () => {
      [before] = [made, await new Promise((resolve) => setTimeout(resolve, 50))];
      return made === before;
    });
    const closed = layer.close(0);
    expect((await response.text()).slice(-200)).toContain('"code":"server_closing"');
    expect(await closed).toMatchObject({ cutOff: 1 });
  });

  it("does not wait for connections on which nothing is asked", async () => {
    const layer = await start();
    const { hostname, port } = new URL(layer.url);
    const sockets = [connect(Number(port), hostname), connect(Number(port), hostname)];
    for (const socket of sockets) socket.on("error", () => {});
    sockets[0].write("GET /health HTTP/1.1\r\n");
    await ask(layer).then((response) => response.text());
    const beganMs = Date.now();
    await layer.close(30_000);
    expect(Date.now() - beganMs).toBeLessThan(5000);
    for (const socket of sockets) socket.destroy();
  });
});

describe("a connection too many", () => {
  it("is not taken", async () => {
    const layer = await start({ limits: { connections: 2 } });
    const { hostname, port } = new URL(layer.url);
    const sockets = [1, 2].map(() => connect(Number(port), hostname));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.on("connect", resolve))));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await exchangeRaw(layer.url, { send: [writeRequest("GET", "/health", {})] })).toBe("");
    sockets[0].destroy();
    await until(async () => (await exchangeRaw(layer.url, { send: [writeRequest("GET", "/health", {})] })) !== "");
    sockets[1].destroy();
  });
});
