import { writeFileSync } from "node:fs";
import { get } from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { startServing } from "../../../gpu-workers/src/serving/start-serving.ts";
import { makeKey } from "../../../shared/src/adapters/keys/make-key.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { s3At, scriptedServer } from "../../support/scripted-server.ts";
import {
  freePort,
  makeServedFolder,
  publishTinyAdapter,
  recordLog,
  remove,
  startTinyEndpoint,
  type TinyEndpoint,
  writeTinyAdapter,
} from "../../support/serving/tiny-endpoint.ts";

const STORY = { model: "model", prompt: "the ship", temperature: 0 };
const LOOK_MS = 20;

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await sleep(LOOK_MS);
}

const textOf = async (response: Response) =>
  ((await response.json()) as { choices: { text: string }[] }).choices[0].text;

describe("an inference endpoint", () => {
  let folder: string;
  let endpoint: TinyEndpoint | null = null;
  const start = async (...more: Parameters<typeof startTinyEndpoint> extends [string, ...infer R] ? R : never) => {
    endpoint = await startTinyEndpoint(folder, ...more);
    return endpoint;
  };
  beforeAll(() => {
    folder = makeServedFolder();
  });
  afterEach(async () => {
    await endpoint?.close();
    endpoint = null;
  });
  afterAll(() => remove(folder));

  it("answers with the model of its folder, under the folder's name, whoever has the key made for it", async () => {
    const { ask, url, model, key, memory, hasChat } = await start();
    expect({ model, hasChat }).toEqual({ model: { id: "model", contextTokens: 16_384 }, hasChat: false });
    expect(memory).toMatchObject({ tokenBytes: 64, tokens: expect.any(Number) });
    const answer = await ask("/v1/completions", { ...STORY, max_tokens: 4 });
    expect([answer.status, (await answer.json()) as object]).toMatchObject([
      200,
      { model: "model", usage: { completion_tokens: 4 } },
    ]);
    expect(key).toMatch(/^fedmkt-/);
    expect((await fetch(`${url}/v1/models`)).status).toBe(401);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect((await ask("/v1/load_lora_adapter", { lora_name: "a", lora_path: "a" })).status).toBe(404);
  });

  it("takes less context, another name and the keys of a file where it is told to", async () => {
    const { key, sha256 } = makeKey();
    const keys = join(folder, "keys.json");
    writeFileSync(keys, JSON.stringify({ version: 1, keys: [{ id: "ward", sha256 }] }));
    const { ask, url, ...serving } = await start({
      ...{ FEDMKT_SERVE_CONTEXT: "32", FEDMKT_SERVE_NAME: "tiny", FEDMKT_SERVE_KEYS: keys },
    });
    expect(serving).toMatchObject({ model: { id: "tiny", contextTokens: 32 }, key: null, asksForKeys: true });
    expect((await ask("/v1/models")).status).toBe(401);
    const models = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    expect(await models.json()).toMatchObject({ data: [{ id: "tiny", max_model_len: 32 }] });
  });

  it("says that the model reads fewer tokens where it is told to take more", async () => {
    const { told, model } = await start({ FEDMKT_SERVE_CONTEXT: "20000" });
    expect([model.contextTokens, told]).toEqual([
      16_384,
      expect.arrayContaining(["warn: the model reads fewer tokens than are asked for"]),
    ]);
  });

  it("serves metrics on a port of its own, which nobody needs a key for", async () => {
    const { metricsUrl, url, ask } = await start({ FEDMKT_SERVE_METRICS_PORT: String(await freePort()) });
    await ask("/v1/completions", { ...STORY, max_tokens: 2 });
    const metrics = await (await fetch(metricsUrl!)).text();
    expect(metrics).toMatch(/^fedmkt_completion_tokens_total\{model="model"\} 2$/m);
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
  });

  it("applies adapters of its settings, and of calls below the folder that is named for them", async () => {
    writeTinyAdapter(join(folder, "adapters/first"), 1);
    writeTinyAdapter(join(folder, "adapters/second"), 2);
    const { ask, adapters } = await start({
      FEDMKT_SERVE_ADAPTERS: JSON.stringify({ first: join(folder, "adapters/first") }),
      FEDMKT_SERVE_RUNTIME_ADAPTERS: join(folder, "adapters"),
    });
    expect(adapters).toEqual(["first"]);
    const told = await ask("/v1/load_lora_adapter", { lora_name: "second", lora_path: "second" });
    expect([told.status, await told.text()]).toEqual([200, "Success: LoRA adapter 'second' added successfully."]);
    expect((await ask("/v1/load_lora_adapter", { lora_name: "x", lora_path: "../model" })).status).toBe(404);
    const texts = await Promise.all(
      ["model", "first", "second"].map(async (model) =>
        textOf(await ask("/v1/completions", { ...STORY, model, max_tokens: 24 })),
      ),
    );
    expect(new Set(texts).size).toBe(3);
  });

  it("follows a folder of runs: what is there is served at once, what comes and goes soon after", async () => {
    await publishTinyAdapter(folder, { party: "ward", run: "first", second: 1, weight: 1 });
    const { ask, adapters, model } = await start({
      FEDMKT_SERVE_REGISTRY: join(folder, "runs"),
      FEDMKT_SERVE_REGISTRY_SECONDS: "0.1",
      FEDMKT_SERVE_ADAPTER_FOLDER: join(folder, "kept"),
    });
    expect([model.id, adapters]).toEqual(["model:base", ["ward"]]);
    const lineage = async () => {
      const { data } = (await (await ask("/v1/models")).json()) as { data: { id: string; lineage: { run: string } }[] };
      return data.find(({ id }) => id === "ward")?.lineage.run;
    };
    expect(await lineage()).toBe("first");
    await publishTinyAdapter(folder, { party: "ward", run: "second", second: 2, weight: 2 });
    await until(async () => (await lineage()) === "second");
    remove(join(folder, "runs/second"));
    await until(async () => (await lineage()) === "first");
  });

  it("gives answers under way to their end when it is stopped, and takes no new requests", async () => {
    const { ask, url, drain } = await start({ FEDMKT_SERVE_PAUSE_SECONDS: "1" });
    const stream = await ask("/v1/completions", { ...STORY, max_tokens: 1500, stream: true });
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = (await reader.read()).value!;
    const drained = drain();
    expect((await fetch(`${url}/ready`)).status).toBe(503);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    // on its way when the balancer was told
    expect((await ask("/v1/completions", { ...STORY, max_tokens: 1 })).status).toBe(200);
    const before = text.length;
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
    expect(text.length).toBeGreaterThan(10 * before);
    expect(text.trimEnd().endsWith("data: [DONE]")).toBe(true);
    expect(text).not.toContain('"error"');
    expect(await drained).toEqual({ answered: 4, cutOff: 0 });
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    expect(await drain()).toEqual(await drained);
  });

  it("is closed when it is drained, where that has begun", async () => {
    const { url, drain, close } = await start({ FEDMKT_SERVE_PAUSE_SECONDS: "1" });
    let isDrained = false;
    const drained = drain().then(() => {
      isDrained = true;
    });
    const closed = Promise.all([close(), close()]);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await closed;
    expect(isDrained).toBe(true);
    await drained;
  });

  it("ends at once where it is stopped while the model is still being opened, and frees its port", async () => {
    const server = await scriptedServer(() => {});
    const port = await freePort();
    const own = { ...process.env };
    Object.assign(process.env, s3At(server.url));
    try {
      const stop = new AbortController();
      const starting = startServing({
        variables: {
          FEDMKT_SERVE_MODEL: "s3://models/large",
          ...{ FEDMKT_SERVE_PORT: String(port), FEDMKT_SERVE_METRICS_PORT: "0" },
        },
        ...{ logger: recordLog().logger, makesKey: true, signal: stop.signal },
      });
      const ended = expect(starting).rejects.toThrow("enough");
      await until(() => server.calls.length > 0);
      expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
      stop.abort(new Error("enough"));
      await ended;
      await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
    } finally {
      process.env = own;
      await server.close();
    }
  });

  it("cuts off what takes longer than it may, and says so", async () => {
    const { ask, drain, told } = await start({ FEDMKT_SERVE_DRAIN_SECONDS: "1" });
    const stream = await ask("/v1/completions", { ...STORY, max_tokens: 16_000, stream: true });
    const reading = stream.text();
    expect((await drain()).cutOff).toBe(1);
    expect(await reading).toContain('"code":"server_closing"');
    expect(told).toContain("warn: answers were cut off: they took too long");
  });

  it("answers by TLS, and takes up a renewed certificate", async () => {
    const [certificate, key] = [join(folder, "tls.pem"), join(folder, "tls.key")];
    const first = makeCertificate("first");
    writeFileSync(certificate, first.cert);
    writeFileSync(key, first.key);
    const serving = await start({ FEDMKT_SERVE_TLS_CERTIFICATE: certificate, FEDMKT_SERVE_TLS_KEY: key });
    expect(serving).toMatchObject({ url: expect.stringMatching(/^https:/), certificate });
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    get(`${serving.url}/health`, { ca: first.cert }, ({ statusCode }) => resolve(statusCode)).on("error", reject);
    expect(await promise).toBe(200);
  });

  describe("in front of another server", () => {
    it("answers once that is there, and passes on what it does not know itself", async () => {
      const port = await freePort();
      const gatewayPort = await freePort();
      const { told, logger } = recordLog();
      const starting = startServing({
        variables: {
          FEDMKT_SERVE_UPSTREAM: `http://127.0.0.1:${port}`,
          FEDMKT_SERVE_NAME: "gateway",
          ...{ FEDMKT_SERVE_PORT: String(gatewayPort), FEDMKT_SERVE_METRICS_PORT: "0", FEDMKT_SERVE_KEYS: "none" },
        },
        ...{ logger, makesKey: false },
      });
      const url = `http://127.0.0.1:${gatewayPort}`;
      await until(() => told.length > 0);
      expect(told).toEqual(["warn: not there yet: asked again every second UPSTREAM_UNAVAILABLE"]);
      expect([(await fetch(`${url}/health`)).status, (await fetch(`${url}/ready`)).status]).toEqual([200, 503]);
      await start({ FEDMKT_SERVE_PORT: String(port), FEDMKT_SERVE_KEYS: "none" });
      const gateway = await starting;
      try {
        expect(gateway).toMatchObject({ model: { id: "gateway", contextTokens: 16_384 }, memory: null });
        const asked = { ...STORY, model: "gateway", max_tokens: 8 };
        const answer = await fetch(`${url}/v1/completions`, {
          ...{ method: "POST", body: JSON.stringify(asked), headers: { "content-type": "application/json" } },
        });
        const direct = await endpoint!.ask("/v1/completions", { ...STORY, max_tokens: 8 });
        expect(await textOf(answer)).toBe(await textOf(direct));
        expect(told.at(-1)).not.toContain("error");
      } finally {
        await gateway.close();
      }
    });

    it("does not wait for its last word when it ends", async () => {
      const base = { id: "base", parent: null, max_model_len: 64 };
      const server = await scriptedServer((_, response) => {
        if (server.calls.length === 1) response.end(JSON.stringify({ object: "list", data: [base] }));
      });
      try {
        const gateway = await startServing({
          variables: {
            FEDMKT_SERVE_UPSTREAM: server.url,
            ...{ FEDMKT_SERVE_PORT: "0", FEDMKT_SERVE_METRICS_PORT: "0", FEDMKT_SERVE_KEYS: "none" },
          },
          ...{ logger: recordLog().logger, makesKey: false },
        });
        // it has asked which adapters are there, and is not answered
        await until(() => server.calls.length === 2);
        expect(await gateway.drain()).toEqual({ answered: 0, cutOff: 0 });
      } finally {
        await server.close();
      }
    });

    it("ends waiting when it is stopped", async () => {
      const stop = new AbortController();
      const { told, logger } = recordLog();
      const starting = startServing({
        variables: {
          FEDMKT_SERVE_UPSTREAM: `http://127.0.0.1:${await freePort()}`,
          ...{ FEDMKT_SERVE_PORT: "0", FEDMKT_SERVE_METRICS_PORT: "0" },
        },
        ...{ logger, makesKey: true, signal: stop.signal },
      });
      const ended = expect(starting).rejects.toThrow("enough");
      await until(() => told.length > 0);
      stop.abort(new Error("enough"));
      await ended;
    });
  });

  describe("does not start, and says why", () => {
    const refuses = async (settings: Record<string, string>, makesKey = true) => {
      const failure = await start(settings, { makesKey }).then(
        () => null,
        (error) => error,
      );
      expect(failure).toMatchObject({ name: "InvalidInputError" });
      return `${failure.code}: ${failure.message}`;
    };

    it("where a port is taken, or the host is not of this machine", async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const other = createServer().listen(0, "127.0.0.1", resolve);
      await promise;
      const { port } = other.address() as { port: number };
      expect(await refuses({ FEDMKT_SERVE_PORT: String(port) })).toMatch(
        new RegExp(`^PORT_IN_USE: 127\\.0\\.0\\.1:${port}: expected a free port`),
      );
      expect(await refuses({ FEDMKT_SERVE_METRICS_PORT: String(port) })).toMatch(
        new RegExp(`^PORT_IN_USE: .*:${port}: .*by FEDMKT_SERVE_METRICS_PORT \\(0: no metrics\\)$`),
      );
      other.close();
      expect(await refuses({ FEDMKT_SERVE_HOST: "192.0.2.1" })).toMatch(/^HOST_UNKNOWN: 192\.0\.2\.1:/);
    });

    it("where the settings are wrong", async () => {
      expect(await refuses({ FEDMKT_SERVE_PORT: "many" })).toMatch(/^ENVIRONMENT_INVALID: .*FEDMKT_SERVE_PORT/);
      expect(await refuses({}, false)).toMatch(/^ENVIRONMENT_INVALID: .*FEDMKT_SERVE_KEYS: expected a file/);
      expect(await refuses({ FEDMKT_SERVE_KEYS: join(folder, "no.json") })).toMatch(/^FILE_MISSING: .*no\.json/);
      expect(await refuses({ FEDMKT_SERVE_REGISTRY: join(folder, "none") })).toMatch(
        /^FILE_MISSING: .*none: expected a folder of runs to follow/,
      );
      const tls = {
        FEDMKT_SERVE_TLS_CERTIFICATE: join(folder, "no.pem"),
        FEDMKT_SERVE_TLS_KEY: join(folder, "no.key"),
      };
      expect(await refuses(tls)).toMatch(/^FILE_MISSING: .*no\.pem/);
    });

    it("where the model or an adapter is wrong, and leaves its port free", async () => {
      const port = String(await freePort());
      const at = { FEDMKT_SERVE_PORT: port };
      expect(await refuses({ ...at, FEDMKT_SERVE_MODEL: folder })).toMatch(/^FILE_MISSING|^MODEL_FILE_MISSING/);
      const named = (adapters: object) => ({ ...at, FEDMKT_SERVE_ADAPTERS: JSON.stringify(adapters) });
      expect(await refuses(named({ model: join(folder, "adapters/first") }))).toMatch(/^NAME_TAKEN: adapter model/);
      expect(await refuses(named({ first: join(folder, "nothing") }))).toMatch(/^FILE_MISSING: .*nothing/);
      writeTinyAdapter(join(folder, "adapters/other"), 1);
      writeFileSync(join(folder, "adapters/other/adapter_model.safetensors"), "no tensors at all");
      expect(await refuses(named({ first: join(folder, "adapters/other") }))).toMatch(/^SAFETENSORS_|^ADAPTER_/);
      await start(at);
    });
  });
});
