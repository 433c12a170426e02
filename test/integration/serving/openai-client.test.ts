import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import OpenAI, {
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from "openai";
import { InvalidInputError, InvariantError } from "../../../shared/src/core/errors.ts";
import { type ScriptedInference, sayAndWait } from "../../support/serving/scripted-inference.ts";
import { KEY, LINEAGE, type StartedLayer, startLayer, until } from "../../support/serving/started-layer.ts";

const USER = [{ role: "user" as const, content: "Tell me a story" }];

/** OpenAI's own client, unchanged: only its base URL and key are ours. */
describe("OpenAI's client", () => {
  let layer: StartedLayer;
  let inference: ScriptedInference;
  let client: OpenAI;

  beforeEach(async () => {
    layer = await startLayer({ concurrent: 1, queued: 1 });
    inference = layer.inference;
    client = new OpenAI({ baseURL: `${layer.url}/v1`, apiKey: KEY, maxRetries: 0 });
  });

  afterEach(async () => {
    client = null as never;
    await layer.close(0);
  });

  it("lists the models, the base first, with an adapter's lineage", async () => {
    const models = [];
    for await (const model of client.models.list()) models.push(model);
    expect(models.map(({ id }) => id)).toEqual(["base", "clinic-a", "team/own"]);
    expect(models[1]).toMatchObject({ object: "model", parent: "base", lineage: LINEAGE });
  });

  it("finds one model, also one with a slash in its id, and is told of one that is not there", async () => {
    expect((await client.models.retrieve("clinic-a")).id).toBe("clinic-a");
    expect((await client.models.retrieve("team/own")).id).toBe("team/own");
    await expect(client.models.retrieve("nobody")).rejects.toThrow(NotFoundError);
  });

  it("is answered a chat", async () => {
    const { data, response } = await client.chat.completions.create({ model: "base", messages: USER }).withResponse();
    expect(data.choices).toEqual([
      {
        index: 0,
        message: { role: "assistant", content: "Once upon a time", refusal: null },
        logprobs: null,
        finish_reason: "stop",
      },
    ]);
    expect(data).toMatchObject({ object: "chat.completion", model: "base", created: 1_790_000_000 });
    expect(data.usage).toEqual({ prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 });
    expect(response.headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
  });

  it("is answered by the adapter that it names", async () => {
    const completion = await client.completions.create({ model: "clinic-a", prompt: "Once", max_tokens: 3 });
    expect(completion.choices[0]).toMatchObject({ text: "Once upon a clinic-a", finish_reason: "length" });
    expect(inference.asked[0]).toMatchObject({ adapter: "clinic-a", request: { kind: "completion" } });
    expect(layer.names.held).toBe(0);
  });

  it("is streamed a chat, as its own reader of streams puts it together", async () => {
    const stream = client.chat.completions.stream({
      model: "base",
      messages: USER,
      stream_options: { include_usage: true },
    });
    const pieces: string[] = [];
    stream.on("content", (piece) => pieces.push(piece));
    const final = await stream.finalChatCompletion();
    expect(pieces).toEqual(["Once", " upon", " a time"]);
    expect(final.choices[0].message.content).toBe("Once upon a time");
    expect(final.usage).toEqual({ prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 });
  });

  it("is streamed a completion, without a usage that it did not ask for", async () => {
    const chunks = [];
    for await (const chunk of await client.completions.create({ model: "base", prompt: "Once", stream: true }))
      chunks.push(chunk);
    expect(chunks.map(({ choices: [choice] }) => choice.text)).toEqual(["Once", " upon", " a time", ""]);
    expect(chunks.every((chunk) => !("usage" in chunk))).toBe(true);
  });

  it("is given several answers, streamed or not", async () => {
    const whole = await client.chat.completions.create({ model: "base", messages: USER, n: 3 });
    expect(whole.choices.map(({ index, message }) => [index, message.content])).toEqual(
      [0, 1, 2].map((i) => [i, "Once upon a time"]),
    );
    const texts = ["", ""];
    for await (const { choices } of await client.completions.create({ model: "base", prompt: "x", n: 2, stream: true }))
      for (const { index, text } of choices) texts[index] += text;
    expect(texts).toEqual(["Once upon a time", "Once upon a time"]);
  });

  it("throws its own classes for every status, with the field at fault", async () => {
    const bad = await client.chat.completions.create({ model: "base", messages: USER, temperature: 3 }).catch((e) => e);
    expect(bad).toBeInstanceOf(BadRequestError);
    expect(bad).toMatchObject({
      status: 400,
      param: "temperature",
      code: "invalid_value",
      type: "invalid_request_error",
    });
    const missing = await client.completions.create({ model: "nobody", prompt: "x" }).catch((e) => e);
    expect(missing).toBeInstanceOf(NotFoundError);
    expect(missing).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
    const stranger = new OpenAI({ baseURL: `${layer.url}/v1`, apiKey: "wrong", maxRetries: 0 });
    const refused = await stranger.models.list().catch((e) => e);
    expect(refused).toBeInstanceOf(AuthenticationError);
    expect(refused).toMatchObject({ status: 401, code: "invalid_api_key" });
  });

  it("is told what the model refuses by its code, and nothing of the inside where the server fails", async () => {
    inference.script(() => {
      throw new InvalidInputError("CONTEXT_LENGTH_EXCEEDED", "expected at most 2048 tokens, got 3000");
    });
    const long = await client.completions.create({ model: "base", prompt: "x", stream: true }).catch((e) => e);
    expect(long).toBeInstanceOf(BadRequestError);
    expect(long).toMatchObject({ code: "context_length_exceeded" });
    expect(long.message).toContain("got 3000");
    inference.script(() => {
      throw new InvariantError("BROKEN", "secret insides");
    });
    const failed = await client.completions.create({ model: "base", prompt: "x" }).catch((e) => e);
    expect(failed).toBeInstanceOf(InternalServerError);
    expect(JSON.stringify(failed.error)).not.toContain("secret");
    expect(layer.log.join()).toContain("BROKEN");
    expect(layer.log.join()).not.toContain("secret");
    expect(layer.names.held).toBe(0);
  });

  it("throws where a stream breaks off in the middle", async () => {
    inference.script(async function* () {
      yield "Once";
      throw new InvariantError("BROKEN", "secret insides");
    });
    const pieces: string[] = [];
    const reading = async () => {
      for await (const { choices } of await client.completions.create({ model: "base", prompt: "x", stream: true }))
        pieces.push(choices[0].text);
    };
    const error = await reading().catch((e) => e);
    expect(pieces).toEqual(["Once"]);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: "internal_error" });
    expect(layer.state()).toEqual({ running: 0, waiting: 0 });
  });

  it("frees its place at once when it aborts a stream", async () => {
    inference.script(sayAndWait);
    const stream = await client.chat.completions.create({ model: "base", messages: USER, stream: true });
    for await (const _ of stream) break;
    await until(() => layer.state().running === 0);
    expect(inference.asked[0].signal.aborted).toBe(true);
    expect(inference.running).toBe(0);
    expect(layer.names.held).toBe(0);
    inference.script(async function* () {
      yield "next";
    });
    expect((await client.completions.create({ model: "base", prompt: "x" })).choices[0].text).toBe("next");
  });

  it("frees its place at once when it aborts an answer that is not streamed, or one that waits", async () => {
    inference.script(sayAndWait);
    const [first, second] = [new AbortController(), new AbortController()];
    const ask = (signal: AbortSignal) =>
      client.completions.create({ model: "base", prompt: "x" }, { signal }).catch((e) => e);
    const answers = [ask(first.signal), ask(second.signal)];
    await until(() => layer.state().running === 1 && layer.state().waiting === 1);
    expect(layer.names.held).toBe(2);
    second.abort();
    await until(() => layer.state().waiting === 0);
    expect(layer.state().running).toBe(1);
    first.abort();
    await until(() => layer.state().running === 0);
    for (const answer of answers) expect(await answer).toBeInstanceOf(APIUserAbortError);
    expect(inference.asked).toHaveLength(1);
    expect(layer.names.held).toBe(0);
  });

  it("is sent away with a time to come again when too many wait, and comes again by itself", async () => {
    inference.script(sayAndWait);
    const controllers = [new AbortController(), new AbortController()];
    const held = controllers.map(({ signal }) =>
      client.completions.create({ model: "base", prompt: "x" }, { signal }).catch((e) => e),
    );
    await until(() => layer.state().waiting === 1);
    const refused = await client.completions.create({ model: "base", prompt: "x" }).catch((e) => e);
    expect(refused).toBeInstanceOf(RateLimitError);
    expect(refused).toMatchObject({ status: 429, code: "queue_full" });
    expect(refused.headers.get("retry-after")).toBe("1");
    const patient = new OpenAI({ baseURL: `${layer.url}/v1`, apiKey: KEY, maxRetries: 2 });
    const answer = patient.completions.create({ model: "base", prompt: "x" });
    await until(() => layer.log.filter((line) => line.includes("queue_full")).length >= 2);
    inference.script(async function* () {
      yield "in the end";
    });
    for (const controller of controllers) controller.abort();
    expect((await answer).choices[0].text).toBe("in the end");
    await Promise.all(held);
  });
});
