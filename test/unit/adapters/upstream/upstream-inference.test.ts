import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "@jest/globals";
import {
  UpstreamInference,
  type UpstreamInferenceOptions,
} from "../../../../shared/src/adapters/upstream/upstream-inference.ts";
import type { ChatRequest } from "../../../../shared/src/contracts/openai/chat.ts";
import type { InferenceChunk, InferenceRequest } from "../../../../shared/src/ports/inference.ts";
import {
  answerJson,
  beginEvents,
  type Script,
  type ScriptedServer,
  scriptedServer,
  sendEvent,
} from "../../../support/scripted-server.ts";

const NEVER = new AbortController().signal;
const BASE = { id: "smollm2", object: "model", root: "/models/smollm2", parent: null, max_model_len: 8192 };
const ADAPTER = { id: "clinic-a@run-3", object: "model", root: "/adapters/a", parent: "smollm2" };
const MODELS = { object: "list", data: [ADAPTER, BASE] };
const CHAT = "/v1/chat/completions";
const LOAD = "/v1/load_lora_adapter";
const UNLOAD = "/v1/unload_lora_adapter";

const HEAD = { id: "chatcmpl-7", object: "chat.completion.chunk", created: 5, model: "smollm2" };
const chunk = (content: string) => ({ ...HEAD, choices: [{ index: 0, delta: { content }, finish_reason: null }] });
const USAGE = { ...HEAD, choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } };

const request = (more: object = {}): InferenceRequest => ({
  kind: "chat",
  body: { model: "clinic-a", messages: [{ role: "user", content: "Hi" }], ...more } as ChatRequest,
});

const open: ScriptedServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

/** A server like vLLM's, but for what the script answers itself: then it returns true. */
async function behind(
  script: (...given: Parameters<Script>) => unknown = () => {},
  options: Partial<UpstreamInferenceOptions> = {},
) {
  const server = await scriptedServer(async (call, response) => {
    if ((await script(call, response)) === true) return;
    if (call.path === "/v1/models") answerJson(response, 200, MODELS);
    else if (call.path === "/health") response.end();
    else if (call.path === CHAT) answerEvents(response, [chunk("H"), chunk("i"), USAGE, "[DONE]"]);
    else response.end(`Success: LoRA adapter '${call.body?.lora_name}' added successfully.`);
  });
  open.push(server);
  return { server, inference: new UpstreamInference({ url: server.url, ...options }) };
}

function answerEvents(response: ServerResponse, events: readonly (object | string)[]): true {
  beginEvents(response);
  for (const event of events) sendEvent(response, event);
  response.end();
  return true;
}

/** A server whose chat calls are answered by events, or by the script. */
const saying = (events: readonly (object | string)[]) =>
  behind(({ path }, response) => path === CHAT && answerEvents(response, events));
const failing = (status: number, value: unknown, headers: Record<string, string> = {}) =>
  behind(({ path }, response) => {
    if (path !== CHAT) return false;
    answerJson(response, status, value, headers);
    return true;
  });

async function all(inference: UpstreamInference, asked = request(), adapter: string | null = null, signal = NEVER) {
  const chunks: InferenceChunk[] = [];
  for await (const one of inference.answer(asked, adapter, signal)) chunks.push(one);
  return chunks;
}

describe("a server behind the gateway", () => {
  it("is described by its base model, under the name that the gateway gives it", async () => {
    const { inference, server } = await behind();
    expect(await inference.describe()).toEqual({ id: "smollm2", contextTokens: 8192 });
    const named = new UpstreamInference({ url: `${server.url}/v1/`, id: "base", key: "secret" });
    expect(await named.describe()).toEqual({ id: "base", contextTokens: 8192 });
    expect(server.calls.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ["/v1/models", undefined],
      ["/v1/models", "Bearer secret"],
    ]);
  });

  it("is asked for a stream with its usage, and for its own name of the model; other fields are sent on", async () => {
    const { inference, server } = await behind();
    const asked = request({
      stream: false,
      temperature: 0.5,
      guided_choice: ["a", "b"],
      stream_options: { continuous_usage_stats: true },
    });
    await all(inference, asked, "clinic-a@run-3");
    await all(inference);
    const [one, other] = server.calls.filter(({ path }) => path === CHAT);
    expect(one.body).toEqual({
      ...asked.body,
      model: "clinic-a@run-3",
      stream: true,
      stream_options: { continuous_usage_stats: true, include_usage: true },
    });
    expect(other.body).toMatchObject({ model: "smollm2", stream_options: { include_usage: true } });
  });

  it("answers by its objects, under the name that was asked for", async () => {
    const { inference } = await behind();
    expect(await all(inference)).toEqual([chunk("H"), chunk("i"), USAGE].map((one) => ({ ...one, model: "clinic-a" })));
  });

  it("answers completions at their own place", async () => {
    const text = { id: "cmpl-1", object: "text_completion", created: 5, model: "smollm2" };
    const events = [
      { ...text, choices: [{ index: 0, text: "a", logprobs: null, finish_reason: "length" }] },
      { ...text, choices: [], usage: USAGE.usage },
    ];
    const { inference } = await behind(
      ({ path }, response) => path === "/v1/completions" && answerEvents(response, [...events, "[DONE]"]),
    );
    const chunks = await all(inference, { kind: "completion", body: { model: "m", prompt: "x" } });
    expect(chunks).toEqual(events.map((one) => ({ ...one, model: "m" })));
  });

  it("may cut its events anywhere, and say between them that it is still there", async () => {
    const text = [chunk("🦊"), USAGE].map((event) => `data: ${JSON.stringify(event)}\r\n\r\n`).join(": ping\n\n");
    const { inference } = await behind(async ({ path }, response) => {
      if (path !== CHAT) return false;
      beginEvents(response);
      for (const byte of Buffer.from(`${text}data: [DONE]\n\n`)) {
        response.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
      return true;
    });
    expect(
      (await all(inference)).map(
        ({ choices: [choice] }) => (choice as { delta?: { content?: string } })?.delta?.content,
      ),
    ).toEqual(["🦊", undefined]);
  });
});

describe("what goes wrong behind the gateway", () => {
  it.each([400, 413, 422])("is told as it was told there, where the request is at fault (%s)", async (status) => {
    const error = { message: "max_tokens is too large", type: "BadRequestError", param: "max_tokens", code: status };
    const { inference } = await failing(status, { error });
    await expect(all(inference)).rejects.toMatchObject({
      ...{ name: "InvalidInputError", code: "UPSTREAM_REFUSED", status, body: { error } },
    });
  });

  it("is told by its status where a refusal has no body that is one", async () => {
    const { inference } = await failing(400, "no");
    await expect(all(inference)).rejects.toMatchObject({ code: "UPSTREAM_REFUSED", status: 400, body: null });
  });

  it.each([
    [401, {}, "UPSTREAM_UNAVAILABLE", 503, 5],
    [403, {}, "UPSTREAM_UNAVAILABLE", 503, 5],
    [404, {}, "UPSTREAM_UNAVAILABLE", 503, 5],
    [429, { "retry-after": "7" }, "UPSTREAM_BUSY", 429, 7],
    [429, { "retry-after": "0" }, "UPSTREAM_BUSY", 429, 1],
    [503, { "retry-after": "soon" }, "UPSTREAM_UNAVAILABLE", 503, 5],
    [503, { "retry-after": "999999" }, "UPSTREAM_UNAVAILABLE", 503, 3600],
    [502, {}, "UPSTREAM_UNAVAILABLE", 503, 5],
  ] as const)(
    "is for later where it is not the client's fault: %s %j",
    async (given, headers, code, status, retryAfterSeconds) => {
      const { inference } = await failing(given, { error: { message: "x" } }, headers);
      await expect(all(inference)).rejects.toMatchObject({ name: "TransientError", code, status, retryAfterSeconds });
    },
  );

  it("is a failure where it says so", async () => {
    const { inference } = await failing(500, { error: { message: "out of memory" } });
    await expect(all(inference)).rejects.toMatchObject({
      ...{ name: "TransientError", code: "UPSTREAM_FAILED", message: expect.stringContaining("out of memory") },
    });
  });

  it("is for later while nobody is there", async () => {
    const { inference, server } = await behind();
    await server.close();
    const later = { name: "TransientError", code: "UPSTREAM_UNAVAILABLE", status: 503, retryAfterSeconds: 5 };
    await expect(inference.describe()).rejects.toMatchObject(later);
    await expect(all(inference)).rejects.toMatchObject(later);
  });

  it("is noticed where an answer breaks off", async () => {
    const { inference } = await behind(({ path }, response) => {
      if (path !== CHAT) return false;
      beginEvents(response);
      response.write(`data: ${JSON.stringify(chunk("H"))}\n\n`, () => response.destroy());
      return true;
    });
    await expect(all(inference)).rejects.toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
  });

  it.each([
    ["an answer without its usage", [chunk("H"), "[DONE]"], "UPSTREAM_UNAVAILABLE"],
    ["an object behind the usage", [USAGE, chunk("H")], "UPSTREAM_INVALID"],
    ["what is no JSON", ["{"], "UPSTREAM_INVALID"],
    ["an object of another kind", [{ ...chunk("H"), object: "text_completion" }], "UPSTREAM_INVALID"],
    ["JSON nested without end", [`${"[".repeat(100)}${"]".repeat(100)}`], "UPSTREAM_INVALID"],
    ["an event longer than any", ["x".repeat(4 * 1024 * 1024 + 1)], "UPSTREAM_INVALID"],
  ])("is noticed by %s", async (_, events, code) => {
    const { inference } = await saying(events);
    await expect(all(inference)).rejects.toMatchObject({ name: "TransientError", code });
  });

  it("is noticed by bytes that are no text, and by an answer that is no stream", async () => {
    const bytes = await behind(({ path }, response) => {
      if (path !== CHAT) return false;
      beginEvents(response);
      response.end(Buffer.of(0x64, 0xff, 0x0a));
      return true;
    });
    await expect(all(bytes.inference)).rejects.toMatchObject({
      code: "UPSTREAM_INVALID",
      message: expect.stringContaining("UTF-8"),
    });
    const json = await behind(({ path }, response) => path === CHAT && answerJson(response, 200, USAGE));
    await expect(all(json.inference)).rejects.toMatchObject({ message: expect.stringContaining("application/json") });
  });

  it("is told by an event where it happens in the middle of an answer", async () => {
    const { inference } = await saying([
      chunk("H"),
      { error: { message: "engine died", type: "InternalServerError", code: 500 } },
    ]);
    await expect(all(inference)).rejects.toMatchObject({ code: "UPSTREAM_FAILED" });
    const refused = await saying([{ error: { message: "too long", type: "BadRequestError", code: 400 } }]);
    await expect(all(refused.inference)).rejects.toMatchObject({ code: "UPSTREAM_REFUSED", status: 400 });
  });

  it.each([
    [{ object: "list", data: [ADAPTER] }, "base model"],
    [{ object: "list", data: [{ id: "x" }] }, "max_model_len"],
    [{ object: "list" }, "list of models"],
    ["nothing", "list of models"],
  ])("is noticed by a list of models that is none of vLLM's: %j", async (models, what) => {
    const { inference } = await behind(
      ({ path }, response) => path === "/v1/models" && answerJson(response, 200, models),
    );
    await expect(inference.describe()).rejects.toMatchObject({
      code: "UPSTREAM_INVALID",
      message: expect.stringContaining(what),
    });
  });
});

describe("an answer from behind that is not waited for", () => {
  /** One object, and then nothing. */
  const silent = (options?: Partial<UpstreamInferenceOptions>) =>
    behind(({ path }, response) => {
      if (path !== CHAT) return false;
      beginEvents(response);
      sendEvent(response, chunk("H"));
      return true;
    }, options);

  it("is ended there when the loop is left", async () => {
    const { inference, server } = await silent();
    for await (const one of inference.answer(request(), null, NEVER)) {
      expect(one).toMatchObject({ model: "clinic-a" });
      break;
    }
    await (await server.call(CHAT)).closed;
  });

  it("is ended there with the signal, whose reason is thrown", async () => {
    const { inference, server } = await silent();
    const client = new AbortController();
    const answer = all(inference, request(), null, client.signal);
    const { closed } = await server.call(CHAT);
    client.abort(new Error("gone"));
    await expect(answer).rejects.toThrow("gone");
    await closed;
    await expect(all(inference, request(), null, client.signal)).rejects.toThrow("gone");
  });

  it("is given up after a silence, before its head, before its body or within it", async () => {
    const timeouts = { beginMs: 5000, silenceMs: 50 };
    const { inference, server } = await silent({ timeouts });
    await expect(all(inference)).rejects.toMatchObject({
      code: "UPSTREAM_UNAVAILABLE",
      message: expect.stringContaining("0.05 s"),
    });
    await (await server.call(CHAT)).closed;
    const headless = await behind(({ path }) => path === CHAT, { timeouts: { beginMs: 50, silenceMs: 5000 } });
    await expect(all(headless.inference)).rejects.toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
    const bodiless = await behind(
      ({ path }, response) => {
        if (path !== CHAT) return false;
        beginEvents(response);
        response.flushHeaders();
        return true;
      },
      { timeouts: { beginMs: 80, silenceMs: 1 } },
    );
    await expect(all(bodiless.inference)).rejects.toMatchObject({ message: expect.stringContaining("0.08 s") });
  });

  it("is given up after a while where it is no request, though something comes now and then", async () => {
    const timeouts = { callMs: 60 };
    const { inference } = await behind(
      ({ path }, response) => {
        if (path !== "/v1/models") return false;
        const timer = setInterval(() => response.write(" "), 5);
        response.on("close", () => clearInterval(timer));
        return true;
      },
      { timeouts },
    );
    await expect(inference.loadedAdapters()).rejects.toMatchObject({
      code: "UPSTREAM_UNAVAILABLE",
      message: expect.stringContaining("/v1/models within 0.06 s"),
    });
  });

  it("is not given up while whoever reads it takes his time", async () => {
    const { inference } = await behind(() => {}, { timeouts: { beginMs: 5000, silenceMs: 40 } });
    let seen = 0;
    for await (const one of inference.answer(request(), null, NEVER)) {
      seen += one.choices.length;
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(seen).toBe(2);
  });
});

describe("adapters of a server behind the gateway", () => {
  const adapter = { name: "clinic-a@run-3", folder: "/adapters/a" };
  const bodies = (server: ScriptedServer) =>
    server.calls.filter(({ path }) => path.includes("lora")).map(({ path, body }) => [path, body]);

  it("are loaded and unloaded by vLLM's calls, and told by its list of models", async () => {
    const { inference, server } = await behind();
    await inference.loadAdapter(adapter);
    await inference.unloadAdapter(adapter.name);
    expect(bodies(server)).toEqual([
      [LOAD, { lora_name: "clinic-a@run-3", lora_path: "/adapters/a" }],
      [UNLOAD, { lora_name: "clinic-a@run-3" }],
    ]);
    expect(await inference.loadedAdapters()).toEqual(["clinic-a@run-3"]);
  });

  it("take the place of one that a gateway before this one left there", async () => {
    let loads = 0;
    const { inference, server } = await behind(({ path }, response) => {
      if (path !== LOAD || loads++ > 0) return false;
      answerJson(response, 400, {
        error: { message: "The lora adapter 'x' has already been loaded.", type: "InvalidUserInput", code: 400 },
      });
      return true;
    });
    await inference.loadAdapter(adapter);
    expect(bodies(server).map(([path]) => path)).toEqual([LOAD, UNLOAD, LOAD]);
  });

  it("are unloaded once no answer uses them", async () => {
    const { inference, server } = await behind();
    const answer = inference.answer(request(), adapter.name, NEVER)[Symbol.asyncIterator]();
    await answer.next();
    const other = inference.answer(request(), adapter.name, NEVER)[Symbol.asyncIterator]();
    await other.next();
    const unloaded = inference.unloadAdapter(adapter.name);
    await answer.return?.();
    await inference.unloadAdapter("another");
    expect(bodies(server)).toEqual([[UNLOAD, { lora_name: "another" }]]);
    await other.return?.();
    await unloaded;
    expect(bodies(server)).toHaveLength(2);
  });

  it("need not be there to be unloaded", async () => {
    const { inference } = await behind(
      ({ path }, response) => path === UNLOAD && answerJson(response, 404, { error: { message: "cannot be found" } }),
    );
    await inference.unloadAdapter("x");
    const failing = await behind(({ path }, response) => path === UNLOAD && answerJson(response, 500, {}));
    await expect(failing.inference.unloadAdapter("x")).rejects.toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
  });

  const refused = (status: number, value: unknown, health = 200) =>
    behind(({ path }, response) => {
      if (path === "/health") answerJson(response, health, {});
      else if (path === LOAD) answerJson(response, status, value);
      return path === "/health" || path === LOAD;
    });
  const rank = {
    error: { message: "LoRA rank 64 is greater than max_lora_rank 16.", type: "InternalServerError", code: 500 },
  };

  it.each([
    [400, rank, "InvalidInputError", "ADAPTER_INVALID"],
    [404, { error: { message: "No adapter found", type: "NotFoundError" } }, "InvalidInputError", "ADAPTER_INVALID"],
    // newer vLLM, for an adapter that does not fit
    [500, rank, "InvalidInputError", "ADAPTER_INVALID"],
    [404, { detail: "Not Found" }, "InvalidInputError", "UPSTREAM_WITHOUT_ADAPTERS"],
    [401, { error: "Unauthorized" }, "TransientError", "UPSTREAM_UNAVAILABLE"],
    [503, rank, "TransientError", "UPSTREAM_UNAVAILABLE"],
  ])("are refused for good where they are at fault: %s %j", async (status, value, name, code) => {
    const { inference } = await refused(status, value);
    await expect(inference.loadAdapter(adapter)).rejects.toMatchObject({ name, code });
  });

  it("are tried again where the server has broken down", async () => {
    const { inference } = await refused(500, rank, 503);
    await expect(inference.loadAdapter(adapter)).rejects.toMatchObject({
      name: "TransientError",
      code: "UPSTREAM_FAILED",
    });
  });
});
