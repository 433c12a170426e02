import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { readChatRequest } from "../../../shared/src/contracts/openai/chat.ts";
import { readCompletionRequest } from "../../../shared/src/contracts/openai/completion.ts";
import { RefusedRequest } from "../../../shared/src/contracts/openai/errors.ts";
import { countPrompts, type Prompt } from "../../../shared/src/contracts/openai/prompt.ts";

const sampling = {
  n: fc.integer({ min: 1, max: 2 }),
  temperature: fc.double({ min: 0, max: 2, noNaN: true }),
  top_p: fc.double({ min: 0, max: 1, noNaN: true }),
  seed: fc.maxSafeInteger(),
  stop: fc.oneof(
    fc.string({ minLength: 1, maxLength: 256 }),
    fc.array(fc.string({ minLength: 1, maxLength: 9 }), { maxLength: 16 }),
  ),
  max_tokens: fc.integer({ min: 1, max: 16_777_216 }),
};

const message = fc.record({
  role: fc.constantFrom("system", "developer", "user", "assistant"),
  content: fc.oneof(
    fc.string({ maxLength: 50 }),
    fc.array(fc.record({ type: fc.constant("text"), text: fc.string({ maxLength: 9 }) }), {
      minLength: 1,
      maxLength: 3,
    }),
  ),
});

const chat = fc
  .record(
    {
      model: fc.string({ minLength: 1, maxLength: 256 }),
      messages: fc.array(message, { minLength: 1, maxLength: 5 }),
      ...sampling,
    },
    { requiredKeys: ["model", "messages"] },
  )
  .chain((request) =>
    fc.constantFrom(request, { ...request, logprobs: true, top_logprobs: 20 }, { ...request, stream: true }),
  );

const tokens = fc.array(fc.nat(0x7fff_ffff), { minLength: 1, maxLength: 9 });
const completion = fc.record(
  {
    model: fc.string({ minLength: 1, maxLength: 256 }),
    prompt: fc.oneof(
      fc.string(),
      fc.array(fc.string(), { minLength: 1, maxLength: 64 }),
      tokens,
      fc.array(tokens, { minLength: 1, maxLength: 64 }),
    ),
    ...sampling,
    logprobs: fc.nat(20),
    echo: fc.boolean(),
  },
  { requiredKeys: ["model", "prompt"] },
);

const NEUTRAL = { user: "me" };
const NEUTRAL_OF_CHATS = {
  ...NEUTRAL,
  store: false,
  tools: [],
  tool_choice: "none",
  parallel_tool_calls: true,
  response_format: { type: "text" },
  service_tier: "auto",
  metadata: { a: "b" },
  modalities: ["text"],
  reasoning_effort: "none",
  verbosity: "medium",
  safety_identifier: "x",
  prompt_cache_key: "x",
};

/** What came of it: null where it was taken. */
function refusal(read: () => unknown): RefusedRequest | null {
  try {
    read();
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(RefusedRequest);
    return error as RefusedRequest;
  }
}

describe("a request of OpenAI's within its limits", () => {
  it("is taken as it is, whatever asks for nothing and every null left out", () => {
    fc.assert(
      fc.property(
        chat,
        fc.subarray(Object.entries(NEUTRAL_OF_CHATS)),
        fc.subarray(["seed", "stop", "tools", "n"]),
        (request, neutral, nulls) => {
          const more = Object.fromEntries([...nulls.map((name) => [name, null]), ...neutral]);
          expect(readChatRequest({ ...more, ...request })).toEqual(request);
        },
      ),
    );
    fc.assert(
      fc.property(
        completion,
        fc.subarray(Object.entries({ ...NEUTRAL, best_of: 1, suffix: "" })),
        (request, neutral) => {
          expect(readCompletionRequest({ ...Object.fromEntries(neutral), ...request })).toEqual(request);
        },
      ),
    );
  });

  it("is taken with fields that only a server behind knows, where there is one", () => {
    const further = fc.dictionary(
      fc.string({ minLength: 1, maxLength: 9 }).filter((name) => !(name in sampling) && !(name in Object.prototype)),
      fc.jsonValue().filter((value) => value !== null),
    );
    fc.assert(
      fc.property(chat, further, (request, more) => {
        expect(readChatRequest({ ...more, ...request }, "pass")).toEqual({ ...more, ...request });
      }),
    );
    fc.assert(
      fc.property(completion, further, (request, more) => {
        expect(readCompletionRequest({ ...more, ...request }, "pass")).toEqual({ ...more, ...request });
      }),
    );
  });
});

describe("a request with one field out of its limits", () => {
  const wrong: [string, fc.Arbitrary<unknown>][] = [
    ["model", fc.oneof(fc.constant(""), fc.string({ minLength: 257, maxLength: 300 }), fc.integer())],
    ["n", fc.oneof(fc.integer({ max: 0 }), fc.integer({ min: 129 }), fc.double({ noInteger: true, noNaN: true }))],
    [
      "temperature",
      fc.oneof(fc.double({ max: -1e-9, noNaN: true }), fc.double({ min: 2.001, noNaN: true }), fc.string()),
    ],
    ["top_p", fc.oneof(fc.double({ max: -1e-9, noNaN: true }), fc.double({ min: 1.001, noNaN: true }), fc.boolean())],
    ["seed", fc.oneof(fc.constantFrom(2 ** 53, -(2 ** 60), 1e300), fc.double({ noInteger: true, noNaN: true }))],
    ["max_tokens", fc.oneof(fc.integer({ max: -1 }), fc.integer({ min: 16_777_217 }), fc.constant("16"))],
    ["stream", fc.oneof(fc.integer(), fc.string())],
    ["stream_options", fc.constantFrom([], "x", 1)],
  ];

  it.each(wrong)("is refused by the field's name: %s", (name, value) => {
    fc.assert(
      fc.property(
        fc.constantFrom(readChatRequest, readCompletionRequest),
        fc.constantFrom("refuse", "pass"),
        value,
        (read, others, bad) => {
          const body = { model: "m", messages: [{ role: "user", content: "x" }], prompt: "x", [name]: bad };
          const { messages: _, ...ofCompletion } = body;
          const { prompt: __, ...ofChat } = body;
          const refused = refusal(() => read(read === readChatRequest ? ofChat : ofCompletion, others as "pass"));
          expect(refused).toMatchObject({ status: 400, param: name });
        },
      ),
    );
  });

  it.each([
    ["stop", ["x".repeat(257)], "stop[0]"],
    ["stop", Array(17).fill("x"), "stop"],
    ["stop", "", "stop"],
    ["messages", [], "messages"],
    ["messages", Array(4097).fill({ role: "user", content: "x" }), "messages"],
    ["messages", [{ role: "tool", content: "x" }], "messages[0].role"],
    ["messages", [{ role: "user", content: "x" }, { role: "user" }], "messages[1].content"],
    ["messages", [{ role: "assistant", content: "x", tool_calls: [{}] }], "messages[0].tool_calls"],
    ["messages", [{ role: "user", content: [{ type: "text", text: 1 }] }], "messages[0].content[0].text"],
    ["messages", [{ role: "user", content: "x", weight: 1 }], "messages[0].weight"],
    ["top_logprobs", 3, "top_logprobs"],
    ["stream_options", { include_usage: true }, "stream_options"],
  ])("of chats is refused by its place: %s (%#)", (name, value, param) => {
    const body = { model: "m", messages: [{ role: "user", content: "x" }], [name]: value };
    expect(refusal(() => readChatRequest(body))).toMatchObject({ param });
  });

  it.each([
    ["prompt", [], "prompt"],
    ["prompt", Array(65).fill("x"), "prompt"],
    ["prompt", [-1], "prompt"],
    ["prompt", [[]], "prompt"],
    ["prompt", ["x", 1], "prompt"],
    ["logprobs", 21, "logprobs"],
    ["max_tokens", 0, "max_tokens"],
    ["best_of", 2, "best_of"],
  ])("of completions is refused by its place: %s (%#)", (name, value, param) => {
    const refused = refusal(() => readCompletionRequest({ model: "m", prompt: "x", [name]: value }));
    expect(refused?.param).toMatch(new RegExp(`^${param}`));
  });

  it("asks for no more answers than 128 to all prompts together", () => {
    const body = (n: number) => ({ model: "m", prompt: Array(64).fill("x"), n });
    expect(refusal(() => readCompletionRequest(body(2)))).toBeNull();
    expect(refusal(() => readCompletionRequest(body(3)))).toMatchObject({ param: "n" });
  });

  it("may ask for no tokens where the prompt is echoed", () => {
    expect(refusal(() => readCompletionRequest({ model: "m", prompt: "x", max_tokens: 0, echo: true }))).toBeNull();
  });
});

describe("whatever else is sent", () => {
  it("is refused by an error that says what is wrong, in few words", () => {
    const body = fc.oneof(
      fc.jsonValue(),
      fc.object({ maxDepth: 3 }),
      fc.dictionary(fc.string({ maxLength: 5000 }), fc.jsonValue(), { minKeys: 1 }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(readChatRequest, readCompletionRequest),
        body,
        fc.constantFrom("refuse", "pass"),
        (read, value, others) => {
          const refused = refusal(() => read(value, others as "pass"))!;
          expect(refused).not.toBeNull();
          expect(refused.message.length).toBeLessThan(600);
        },
      ),
    );
  });

  it("is refused by its first mistake alone, however many there are", () => {
    const many = 500_000;
    const keys = Object.fromEntries(Array.from({ length: 50_000 }, (_, at) => [`k${at}`, 0]));
    const bodies = [
      { prompt: Array(many).fill(-1) },
      { prompt: Array(many).fill("x") },
      { prompt: [Array(many).fill(-1)] },
      { stop: Array(many).fill(0), prompt: "x" },
    ];
    const chats = [
      Array(many).fill({}),
      Array(4000).fill({ role: "user", content: Array(1000).fill(0) }),
      [{ role: "user", content: Array(many).fill(0) }],
      [{ role: "user", content: "x", ...keys }],
      [{ role: "user", content: [{ type: "text", text: "x", ...keys }] }],
    ];
    const beganMs = performance.now();
    for (const body of bodies) expect(refusal(() => readCompletionRequest({ model: "m", ...body }))).not.toBeNull();
    for (const messages of chats) expect(refusal(() => readChatRequest({ model: "m", messages }))).not.toBeNull();
    // all of them together; with every mistake told it is half a minute, and gigabytes
    expect(performance.now() - beganMs).toBeLessThan(3000);
  });

  it("is refused as unsupported where OpenAI has such a field, and as unknown where nobody has", () => {
    const chatBody = { model: "m", messages: [{ role: "user", content: "x" }] };
    for (const [name, value] of Object.entries({
      tools: [{}],
      response_format: { type: "json_object" },
      functions: [{}],
      store: true,
      prediction: {},
    }))
      expect(refusal(() => readChatRequest({ ...chatBody, [name]: value }))).toMatchObject({
        code: "UNSUPPORTED_PARAMETER",
        param: name,
      });
    for (const name of ["best_of", "top_k", "__proto__", "constructor"])
      expect(refusal(() => readChatRequest(JSON.parse(`{"model":"m","${name}":{}}`)))).toMatchObject({
        code: "UNKNOWN_PARAMETER",
        param: name,
      });
    // as OpenAI does: a completion knows no field of chats, not even one that asks for nothing
    for (const [name, value] of Object.entries({ tools: [], store: false, messages: [] }))
      expect(refusal(() => readCompletionRequest({ model: "m", prompt: "x", [name]: value }))).toMatchObject({
        code: "UNKNOWN_PARAMETER",
        param: name,
      });
  });

  it("is refused for a bias of what is no token, or out of its range, or of too many", () => {
    const body = { model: "m", prompt: "x" };
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, id) => [id, 1]));
    for (const taken of [{}, { 0: -100, 49151: 100 }, many(1024)])
      expect(readCompletionRequest({ ...body, logit_bias: taken }).logit_bias).toEqual(taken);
    for (const [bias, param] of [
      [{ a: 1 }, "logit_bias"],
      [{ "01": 1 }, "logit_bias"],
      [{ "-1": 1 }, "logit_bias"],
      [{ 5: 100.5 }, "logit_bias.5"],
      [{ 5: "1" }, "logit_bias.5"],
      [[1], "logit_bias"],
      ["5", "logit_bias"],
      [many(1025), "logit_bias"],
      [many(500_000), "logit_bias"],
    ] as const)
      expect(refusal(() => readCompletionRequest({ ...body, logit_bias: bias }))).toMatchObject({
        code: "INVALID_VALUE",
        param,
      });
    for (const penalty of [-2.1, 2.1, "1"])
      expect(refusal(() => readCompletionRequest({ ...body, presence_penalty: penalty }))).not.toBeNull();
  });

  it("is refused for a stop text with half a character", () => {
    for (const stop of ["\ud83e", ["a", "\udd8a"]])
      expect(refusal(() => readCompletionRequest({ model: "m", prompt: "x", stop }))).not.toBeNull();
  });

  it("counts prompts whatever they are written as", () => {
    const prompts: Prompt[] = ["x", ["x", "y"], [1, 2, 3], [[1], [2]]];
    expect(prompts.map(countPrompts)).toEqual([1, 2, 1, 2]);
  });
});
