import { get } from "node:https";
import { afterEach, describe, expect, it } from "@jest/globals";
import { holdKeys } from "../../../shared/src/adapters/keys/held-keys.ts";
import { RefusedRequest } from "../../../shared/src/contracts/openai/errors.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { bodyOf, exchangeRaw, statusesOf, writeRequest } from "../../support/serving/raw-exchange.ts";
import { sayAndWait } from "../../support/serving/scripted-inference.ts";
import { ADMIN_KEY, KEY, keyEntry, type StartedLayer, startLayer, until } from "../../support/serving/started-layer.ts";

const started: StartedLayer[] = [];

async function start(...options: Parameters<typeof startLayer>): Promise<StartedLayer> {
  const layer = await startLayer(...options);
  started.push(layer);
  return layer;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((layer) => layer.close(0)));
});

const authorised = (key = KEY) => ({ authorization: `Bearer ${key}` });
const asJson = { "content-type": "application/json" };

function post(layer: StartedLayer, path: string, body: unknown, headers: Record<string, string> = {}) {
  return fetch(`${layer.url}${path}`, {
    method: "POST",
    headers: { ...authorised(), ...asJson, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

const complete = (layer: StartedLayer, more: Record<string, unknown> = {}, key = KEY) =>
  post(layer, "/v1/completions", { model: "base", prompt: "x", ...more }, authorised(key));

async function errorOf(response: Response) {
  return ((await response.json()) as { error: Record<string, unknown> }).error;
}

describe("without a key", () => {
  it("nothing but /health and /ready answers, whatever path and method", async () => {
    const layer = await start();
    for (const path of ["/health", "/ready"]) {
      expect((await fetch(layer.url + path)).status).toBe(200);
      expect((await fetch(layer.url + path, { method: "HEAD" })).status).toBe(200);
    }
    const paths = [
      "/",
      "/v1/models",
      "/v1/models/base",
      "/v1/registry",
      "/v1/chat/completions",
      "/v1/completions",
      "/metrics",
      "/nowhere",
    ];
    for (const path of [...paths, "/health/", "/HEALTH", "//health", "/%zz", "/health%", "/v1/load_lora_adapter"])
      for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
        const response = await fetch(layer.url + path, { method });
        expect([path, method, response.status]).toEqual([path, method, 401]);
        expect(response.headers.get("www-authenticate")).toBe("Bearer");
        if (method !== "HEAD") expect(await errorOf(response)).toMatchObject({ code: "invalid_api_key", param: null });
      }
    for (const method of ["POST", "OPTIONS"]) expect((await fetch(`${layer.url}/health`, { method })).status).toBe(401);
    expect(layer.inference.asked).toEqual([]);
  });

  it.each(["", "Bearer", "Bearer ", `Basic ${KEY}`, `Bearer ${KEY}x`, `Bearer ${KEY} ${KEY}`, KEY, `Bearer  ${KEY}`])(
    "as with %j for one",
    async (authorization) => {
      const layer = await start();
      expect((await fetch(`${layer.url}/v1/models`, { headers: { authorization } })).status).toBe(401);
      expect((await fetch(`${layer.url}/v1/models`, { headers: authorised() })).status).toBe(200);
    },
  );

  it("whoever can connect may ask where no keys are asked for, and load adapters", async () => {
    const layer = await start({}, { keys: null });
    expect((await fetch(`${layer.url}/v1/models`)).status).toBe(200);
    const body = JSON.stringify({ lora_name: "own", lora_path: "/there" });
    const loaded = await fetch(`${layer.url}/v1/load_lora_adapter`, { method: "POST", headers: asJson, body });
    expect(loaded.status).toBe(200);
  });
});

describe("every answer that is no success", () => {
  const cases: [string, number, string, string | null, (layer: StartedLayer) => Promise<Response>][] = [
    ["a field out of range", 400, "invalid_value", "top_p", (layer) => complete(layer, { top_p: 2 })],
    ["a field of another kind", 400, "invalid_type", "temperature", (layer) => complete(layer, { temperature: "hot" })],
    [
      "a field that is missing",
      400,
      "missing_required_parameter",
      "prompt",
      (layer) => post(layer, "/v1/completions", { model: "base" }),
    ],
    [
      "a field of OpenAI's that we lack",
      400,
      "unsupported_parameter",
      "suffix",
      (layer) => complete(layer, { suffix: "end" }),
    ],
    ["a field that nobody has", 400, "unknown_parameter", "temprature", (layer) => complete(layer, { temprature: 1 })],
    ["no JSON", 400, "body_invalid", null, (layer) => post(layer, "/v1/completions", "{")],
    [
      "a key twice",
      400,
      "body_invalid",
      null,
      (layer) => post(layer, "/v1/completions", '{"model":"base","model":"x"}'),
    ],
    ["no object", 400, "invalid_type", null, (layer) => post(layer, "/v1/completions", "[]")],
    [
      "no body",
      400,
      "invalid_type",
      null,
      (layer) => fetch(`${layer.url}/v1/completions`, { method: "POST", headers: authorised() }),
    ],
    [
      "a malformed path",
      404,
      "route_not_found",
      null,
      (layer) => fetch(`${layer.url}/v1/models/%zz`, { headers: authorised() }),
    ],
    [
      "another's act",
      403,
      "admin_key_expected",
      null,
      (layer) => post(layer, "/v1/load_lora_adapter", { lora_name: "a", lora_path: "b" }),
    ],
    [
      "a path that is not there",
      404,
      "route_not_found",
      null,
      (layer) => fetch(`${layer.url}/v1/nothing`, { headers: authorised() }),
    ],
    ["a model that is not served", 404, "model_not_found", "model", (layer) => complete(layer, { model: "nobody" })],
    [
      "another method",
      405,
      "method_not_allowed",
      null,
      (layer) => fetch(`${layer.url}/v1/completions`, { headers: authorised() }),
    ],
    ["a long body", 413, "body_too_large", null, (layer) => complete(layer, { prompt: "x".repeat(20_000) })],
    [
      "another kind of body",
      415,
      "unsupported_media_type",
      null,
      (layer) => post(layer, "/v1/completions", "x", { "content-type": "text/plain" }),
    ],
    [
      "another character set",
      415,
      "unsupported_media_type",
      null,
      (layer) => post(layer, "/v1/completions", "{}", { "content-type": "application/json; charset=utf-16" }),
    ],
    [
      "a compressed body",
      415,
      "unsupported_media_type",
      null,
      (layer) => post(layer, "/v1/completions", "{}", { "content-encoding": "gzip" }),
    ],
  ];

  it.each(cases)("has OpenAI's form: %s", async (_, status, code, param, ask) => {
    const layer = await start({ limits: { bodyBytes: 10_000 } });
    const response = await ask(layer);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
    expect(await errorOf(response)).toEqual({
      message: expect.stringMatching(/.{10}/),
      type: expect.stringMatching(/./),
      param,
      code,
    });
    expect(layer.inference.asked).toEqual([]);
    expect((await complete(layer)).status).toBe(200);
  });

  it("says which paths there are and which one came, and what came in the place of a body or a prompt", async () => {
    const layer = await start();
    const tell = async (path: string, body: unknown) => {
      const told = (await (await post(layer, path, body as object)).json()) as { error: { message: string } };
      return told.error.message;
    };
    const withoutVersion = await tell("/completions?a=b", {});
    expect(withoutVersion).toMatch(/^expected a path of the API \(.*\/v1\/completions.*\), got \/completions$/);
    expect(await tell(`/${"x".repeat(5000)}`, {})).toMatch(/, got \/x{255}$/);
    expect(await tell("/v1/models/%zz", {})).toMatch(/, got a malformed one$/);
    expect(await tell("/v1/completions", "[]")).toMatch(/, got an empty list$/);
    expect(await tell("/v1/completions", "null")).toMatch(/, got null$/);
    expect(await tell("/v1/completions", "7")).toMatch(/, got a number$/);
    expect(await tell("/v1/completions", { model: "base", prompt: 5 })).toMatch(/, got a number$/);
    expect(await tell("/v1/completions", { model: "base", prompt: [] })).toMatch(/, got an empty list$/);
  });

  it("says with 405 which methods there are, and answers OPTIONS with them", async () => {
    const layer = await start();
    const wrong = await fetch(`${layer.url}/v1/chat/completions`, { method: "DELETE", headers: authorised() });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
    for (const path of ["/v1/models", "/v1/models/base", "/v1/models?limit=1"]) {
      const options = await fetch(layer.url + path, { method: "OPTIONS", headers: authorised() });
      expect([options.status, options.headers.get("allow"), await options.text()]).toEqual([
        204,
        "GET, HEAD, OPTIONS",
        "",
      ]);
    }
    const head = await fetch(`${layer.url}/v1/models`, { method: "HEAD", headers: authorised() });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  it("bears the request's id, which a client may choose where it is harmless", async () => {
    const layer = await start();
    const ask = async (id: string) =>
      (await fetch(`${layer.url}/v1/models`, { headers: { ...authorised(), "x-request-id": id } })).headers.get(
        "x-request-id",
      );
    expect(await ask("trace-1:2.3")).toBe("trace-1:2.3");
    expect(await ask('"} {"level":"error')).toMatch(/^req_[0-9a-f]{32}$/);
    expect(await ask("x".repeat(129))).toMatch(/^req_/);
  });

  it("comes for what is no HTTP too, and the connection ends", async () => {
    const layer = await start({ limits: { headerBytes: 4096, headersMs: 200, requestMs: 300, checkMs: 20 } });
    const broken = await exchangeRaw(layer.url, { send: ["NOT HTTP\r\n\r\n"] });
    expect(statusesOf(broken)).toEqual([400]);
    expect(bodyOf(broken)).toMatchObject({ error: { code: "request_invalid" } });
    const flood = await exchangeRaw(layer.url, {
      send: [`GET /health HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(9000)}\r\n\r\n`],
    });
    expect(statusesOf(flood)).toEqual([431]);
    expect(bodyOf(flood)).toMatchObject({ error: { code: "headers_too_large" } });
    const slow = await exchangeRaw(layer.url, { send: ["GET /health HTTP/1.1\r\n", "host: x\r\n"], pauseMs: 10 });
    expect(statusesOf(slow)).toEqual([408]);
    expect(bodyOf(slow)).toMatchObject({ error: { code: "request_timeout" } });
    const slowBody = await exchangeRaw(layer.url, {
      send: [writeRequest("POST", "/v1/completions", { ...authorised(), ...asJson, "content-length": "500" }), "{"],
      pauseMs: 10,
    });
    expect(statusesOf(slowBody)).toEqual([408]);
    const expecting = await exchangeRaw(layer.url, { send: [writeRequest("GET", "/health", { expect: "a miracle" })] });
    expect(statusesOf(expecting)).toEqual([417]);
    const hostless = await exchangeRaw(layer.url, { send: ["GET /health HTTP/1.1\r\nconnection: close\r\n\r\n"] });
    expect(statusesOf(hostless)).toEqual([200]);
  });
});

describe("a server that asks for no keys", () => {
  const hosts = (layer: StartedLayer, names: string[]) =>
    Promise.all(
      names.map(async (host) => {
        const lines = ["GET /v1/models HTTP/1.1", ...(host === "" ? [] : [`host: ${host}`]), "connection: close"];
        return exchangeRaw(layer.url, { send: [`${lines.join("\r\n")}\r\n\r\n`] });
      }),
    );

  it("answers under this machine's own names, and under the one that it listens on", async () => {
    const layer = await start({}, { keys: null });
    const answers = await hosts(layer, [
      "localhost",
      "LocalHost:8080",
      "127.0.0.1:1",
      "127.8.0.1",
      "[::1]:8080",
      "[::1]",
    ]);
    expect(answers.flatMap(statusesOf)).toEqual([200, 200, 200, 200, 200, 200]);
    const bound = await start({ host: "0.0.0.0" }, { keys: null });
    const [own, other] = await hosts({ ...bound, url: bound.url.replace("0.0.0.0", "127.0.0.1") }, ["0.0.0.0:80", "x"]);
    expect([own, other].flatMap(statusesOf)).toEqual([200, 403]);
  });

  it("refuses every other name, as a web page has that leads to this machine", async () => {
    const layer = await start({}, { keys: null });
    const names = ["page.example:8080", "127.0.0.1.page.example", "localhost.page.example", "localhost:x", "[::2]", ""];
    const answers = await hosts(layer, names);
    expect(answers.flatMap(statusesOf)).toEqual(names.map(() => 403));
    expect(bodyOf(answers[0])).toMatchObject({ error: { code: "host_not_allowed", type: "permission_error" } });
    expect(layer.inference.asked).toEqual([]);
  });
});

describe("the rates of a key", () => {
  const keys = holdKeys({
    version: 1,
    keys: [
      keyEntry(KEY, { id: "somebody", requestsPerMinute: 2 }),
      keyEntry(ADMIN_KEY, { id: "operator", tokensPerMinute: 15 }),
    ],
  });

  it("refuse more requests a minute than it has, with OpenAI's headers and a time to come again", async () => {
    const layer = await start({}, { keys });
    const answers = [await complete(layer), await complete(layer), await complete(layer)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers.map(({ headers }) => headers.get("x-ratelimit-remaining-requests"))).toEqual(["1", "0", "0"]);
    expect(answers[2].headers.get("x-ratelimit-limit-requests")).toBe("2");
    expect(answers[2].headers.get("x-ratelimit-reset-requests")).toMatch(/^(60|5\d)s$/);
    expect(Number(answers[2].headers.get("retry-after"))).toBeGreaterThanOrEqual(50);
    expect(await errorOf(answers[2])).toMatchObject({ type: "requests", code: "rate_limit_exceeded" });
    expect(answers[0].headers.get("x-ratelimit-limit-tokens")).toBeNull();
    expect((await complete(layer, {}, ADMIN_KEY)).status).toBe(200);
  });

  it("refuse requests once a minute's tokens are used up, and count both what was read and written", async () => {
    const layer = await start({}, { keys });
    const answers = [];
    for (let request = 0; request < 3; request++) answers.push(await complete(layer, {}, ADMIN_KEY));
    // ten tokens each: the second may still begin, since it is not known before what it takes
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers.map(({ headers }) => headers.get("x-ratelimit-remaining-tokens"))).toEqual(["15", "5", "0"]);
    expect(await errorOf(answers[2])).toMatchObject({ type: "tokens", code: "rate_limit_exceeded" });
  });

  it("count an answer that its client broke off too", async () => {
    const layer = await start({}, { keys });
    layer.inference.script(sayAndWait);
    const controller = new AbortController();
    const response = await fetch(`${layer.url}/v1/completions`, {
      method: "POST",
      headers: { ...authorised(ADMIN_KEY), ...asJson },
      body: JSON.stringify({ model: "base", prompt: "x".repeat(80), stream: true }),
      signal: controller.signal,
    });
    await response.body!.getReader().read();
    controller.abort();
    await until(() => layer.state().running === 0);
    await until(async () => (await complete(layer, {}, ADMIN_KEY)).status === 429);
  });
});

describe("vLLM's calls", () => {
  const call = (layer: StartedLayer, name: string, body: unknown, key = ADMIN_KEY) =>
    post(layer, `/v1/${name}_lora_adapter`, body, authorised(key));

  it("load and unload adapters, with vLLM's statuses and words", async () => {
    const layer = await start();
    const loaded = await call(layer, "load", { lora_name: "own", lora_path: "/adapters/own" });
    expect([loaded.status, await loaded.text()]).toEqual([200, "Success: LoRA adapter 'own' added successfully."]);
    const again = await call(layer, "load", { lora_name: "own", lora_path: "/adapters/new" });
    expect([again.status, (await errorOf(again)).type]).toEqual([400, "InvalidUserInput"]);
    expect(
      (await call(layer, "load", { lora_name: "own", lora_path: "/adapters/new", load_inplace: true })).status,
    ).toBe(200);
    expect([...layer.adapters.folders]).toEqual([["own", "/adapters/new"]]);
    const missing = await call(layer, "load", { lora_name: "x", lora_path: "/missing", base_model_name: null });
    expect([missing.status, (await errorOf(missing)).type]).toEqual([404, "NotFoundError"]);
    const unloaded = await call(layer, "unload", { lora_name: "own", lora_int_id: 3 });
    expect([unloaded.status, await unloaded.text()]).toEqual([
      200,
      "Success: LoRA adapter 'own' removed successfully.",
    ]);
    expect((await call(layer, "unload", { lora_name: "own" })).status).toBe(404);
    expect((await call(layer, "unload", {})).status).toBe(400);
    expect((await call(layer, "load", { lora_name: "own", lora_path: 3 })).status).toBe(400);
  });

  it("need an admin's key, and are not there where nothing may be loaded", async () => {
    const layer = await start();
    for (const name of ["load", "unload"])
      expect((await call(layer, name, { lora_name: "a", lora_path: "b" }, KEY)).status).toBe(403);
    const without = await start({}, { adapters: null });
    for (const name of ["load", "unload"])
      expect((await call(without, name, { lora_name: "a", lora_path: "b" })).status).toBe(404);
    expect(layer.adapters.folders.size).toBe(0);
  });
});

describe("with a certificate", () => {
  const read = (url: string, ca: string) =>
    new Promise<number>((resolve, reject) => {
      get(`${url}/health`, { ca, agent: false }, (response) => resolve(response.resume().statusCode!)).on(
        "error",
        reject,
      );
    });

  it("it speaks TLS alone, and takes up a renewed one without an end", async () => {
    const [first, second] = [makeCertificate(), makeCertificate()];
    const layer = await start({ tls: { certificate: first.cert, key: first.key } });
    expect(layer.url).toMatch(/^https:/);
    expect(await read(layer.url, first.cert)).toBe(200);
    expect(await exchangeRaw(layer.url, { send: [writeRequest("GET", "/health", {})] })).toBe("");
    layer.renewCertificate({ certificate: second.cert, key: second.key });
    expect(await read(layer.url, second.cert)).toBe(200);
    await expect(read(layer.url, first.cert)).rejects.toThrow();
  });
});

describe("GET /v1/registry", () => {
  it("tells which published adapters are not served, and why", async () => {
    const layer = await start();
    const response = await fetch(`${layer.url}/v1/registry`, { headers: authorised() });
    expect(await response.json()).toEqual(layer.names.registry());
  });
});

describe("a server before its model is there", () => {
  it("lives, is not ready, and asks to come again", async () => {
    let isReady = false;
    const layer = await start({}, { isReady: () => isReady });
    expect((await fetch(`${layer.url}/health`)).status).toBe(200);
    for (const response of [
      await fetch(`${layer.url}/ready`),
      await complete(layer),
      await fetch(`${layer.url}/v1/models`, { headers: authorised() }),
      await post(layer, "/v1/load_lora_adapter", { lora_name: "a", lora_path: "b" }, authorised(ADMIN_KEY)),
      await post(layer, "/v1/unload_lora_adapter", { lora_name: "a" }, authorised(ADMIN_KEY)),
    ]) {
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(await errorOf(response)).toMatchObject({ code: "not_ready", type: "service_unavailable_error" });
    }
    isReady = true;
    expect((await fetch(`${layer.url}/ready`)).status).toBe(200);
    expect((await complete(layer)).status).toBe(200);
  });
});

describe("a server behind", () => {
  it("gets fields and messages that only it knows", async () => {
    const layer = await start({ otherFields: "pass" });
    const messages = [
      { role: "user", content: [{ type: "image_url", image_url: { url: "data:" } }] },
      { role: "tool", tool_call_id: "1", content: "3" },
    ];
    const body = { model: "base", messages, top_k: 5, tools: [{ type: "function" }], logit_bias: null };
    expect((await post(layer, "/v1/chat/completions", body)).status).toBe(200);
    const { logit_bias: _, ...passed } = body;
    expect(layer.inference.asked[0].request.body).toEqual(passed);
    expect((await post(layer, "/v1/chat/completions", { ...body, temperature: 9 })).status).toBe(400);
  });
});

describe("the metrics", () => {
  it("have a port of their own, which answers nothing else and needs no key", async () => {
    const layer = await start({ metricsPort: 0 });
    expect(new URL(layer.metricsUrl!).port).not.toBe(new URL(layer.url).port);
    expect((await fetch(layer.metricsUrl!)).status).toBe(200);
    expect((await fetch(layer.metricsUrl!, { method: "POST" })).status).toBe(405);
    expect((await fetch(layer.metricsUrl!.replace("/metrics", "/v1/models"))).status).toBe(404);
    expect((await fetch(`${layer.url}/metrics`, { headers: authorised() })).status).toBe(404);
    const without = await start();
    expect(without.metricsUrl).toBeNull();
  });

  it("count requests, tokens, waiting, refusals and adapters", async () => {
    const layer = await start({ metricsPort: 0, concurrent: 1, queued: 1 });
    await complete(layer, { model: "clinic-a" });
    await complete(layer, { model: "nobody" });
    layer.inference.script(sayAndWait);
    const held = [new AbortController(), new AbortController()];
    const asking = held.map(({ signal }) =>
      fetch(`${layer.url}/v1/completions`, {
        method: "POST",
        headers: { ...authorised(), ...asJson },
        body: JSON.stringify({ model: "base", prompt: "x" }),
        signal,
      }).catch(() => null),
    );
    await until(() => layer.state().waiting === 1);
    const text = await (await fetch(layer.metricsUrl!)).text();
    for (const line of [
      'fedmkt_requests_total{route="/v1/completions",model="clinic-a",status="200"} 1',
      'fedmkt_requests_total{route="/v1/completions",model="",status="404"} 1',
      'fedmkt_refused_total{code="model_not_found"} 1',
      'fedmkt_prompt_tokens_total{model="clinic-a"} 7',
      'fedmkt_completion_tokens_total{model="clinic-a"} 3',
      'fedmkt_first_token_seconds_count{model="clinic-a"} 1',
      "fedmkt_queue_seconds_count 1",
      "fedmkt_requests_running 1",
      "fedmkt_requests_waiting 1",
      'fedmkt_adapters{state="served"} 2',
      'fedmkt_adapters{state="refused"} 1',
      `fedmkt_registry_read_timestamp_seconds ${Date.UTC(2026, 10, 2) / 1000}`,
    ])
      expect(text.split("\n")).toContain(line);
    expect(text).toContain("process_resident_memory_bytes");
    for (const controller of held) controller.abort();
    await Promise.all(asking);
    await until(() => layer.log.filter((line) => line.includes('"gone"')).length === 2);
    expect(await (await fetch(layer.metricsUrl!)).text()).toContain('model="base",status="gone"} 2');
  });

  it("tell of a name that has vanished once more, and then no more", async () => {
    const layer = await start({ metricsPort: 0 });
    await complete(layer, { model: "clinic-a" });
    await complete(layer);
    layer.names.forget("clinic-a");
    const read = async () => (await fetch(layer.metricsUrl!)).text();
    expect(await read()).toContain('fedmkt_completion_tokens_total{model="clinic-a"} 3');
    const text = await read();
    expect(text).not.toContain("clinic-a");
    for (const name of ["requests_total", "first_token_seconds_bucket", "completion_tokens_total"])
      expect(text).toMatch(new RegExp(`^fedmkt_${name}\\{.*model="base"`, "m"));
  });

  it("count what a server behind refuses by a code of ours, whatever it is called there; the log has both", async () => {
    const layer = await start({ metricsPort: 0 });
    for (const code of ["one", "other"]) {
      const body = { error: { message: "no", type: "bad", param: null, code } };
      layer.inference.script(() => {
        throw new RefusedRequest("UPSTREAM_REFUSED", "no", { status: 422, body });
      });
      expect(await errorOf(await complete(layer))).toMatchObject({ code });
    }
    const text = await (await fetch(layer.metricsUrl!)).text();
    expect(text.match(/^fedmkt_refused_total\{.*$/gm)).toEqual(['fedmkt_refused_total{code="upstream_refused"} 2']);
    const told = layer.log.map((line) => JSON.parse(line).refusal).filter(Boolean);
    expect(told).toEqual(["one", "other"]);
  });

  it("tell whoever scales the endpoint how long each request waited, also one that went away, and for how long one was sent away", async () => {
    const waited: number[] = [];
    let nowMs = 0;
    const layer = await start(
      { concurrent: 1, queued: 1 },
      { onWaited: (seconds) => waited.push(seconds), nowMs: () => nowMs },
    );
    layer.inference.script(sayAndWait);
    const held = [new AbortController(), new AbortController()];
    const asking = held.map(({ signal }) =>
      fetch(`${layer.url}/v1/completions`, {
        method: "POST",
        headers: { ...authorised(), ...asJson },
        body: JSON.stringify({ model: "base", prompt: "x" }),
        signal,
      }).catch(() => null),
    );
    await until(() => layer.state().waiting === 1);
    const refused = await complete(layer);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    nowMs = 1500;
    held[1].abort();
    await until(() => layer.state().waiting === 0);
    expect(waited).toEqual([0, 1, 1.5]);
    held[0].abort();
    await Promise.all(asking);
  });
});

describe("the log", () => {
  it("has a line a request with who, what and how long, and never a prompt, an answer or a key", async () => {
    const layer = await start();
    const prompt = "the patient's secret";
    layer.inference.script(async function* () {
      yield "a secret answer";
    });
    await complete(layer, { prompt });
    await complete(layer, { prompt, stream: true }).then((response) => response.text());
    await complete(layer, { prompt, temperature: "secret" });
    await post(layer, "/v1/completions", `{"prompt":"${prompt}`);
    await complete(layer, { model: "secret model", prompt });
    await fetch(`${layer.url}/v1/secret?secret=${KEY}`, { headers: authorised() });
    await fetch(`${layer.url}/v1/models`, { headers: { authorization: "Bearer secret" } });
    layer.inference.script(() => {
      throw new Error(`cannot answer ${prompt}`);
    });
    await complete(layer, { prompt });
    await fetch(`${layer.url}/health`);
    await until(() => layer.log.length === 9);
    const lines = layer.log.map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({
      level: "info",
      message: "request",
      key: "somebody",
      method: "POST",
      route: "/v1/completions",
      model: "base",
      status: "200",
      promptTokens: 7,
      completionTokens: 1,
      requestId: expect.stringMatching(/^req_/),
    });
    expect(lines.map(({ status, refusal }) => [status, refusal])).toEqual([
      ["200", undefined],
      ["200", undefined],
      ["400", "invalid_type"],
      ["400", "body_invalid"],
      ["404", "model_not_found"],
      ["404", "route_not_found"],
      ["401", "invalid_api_key"],
      [undefined, undefined],
      ["500", "internal_error"],
    ]);
    expect(lines[7]).toMatchObject({ level: "error", error: "Error", stack: expect.any(Array) });
    expect(layer.log.join("\n")).not.toMatch(/secret|fedmkt-k/);
  });
});
