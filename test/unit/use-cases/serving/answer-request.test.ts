import { beforeAll, describe, expect, it } from "@jest/globals";
import type { ChatChunk, ChatRequest } from "../../../../shared/src/contracts/openai/chat.ts";
import type { CompletionChunk, CompletionRequest } from "../../../../shared/src/contracts/openai/completion.ts";
import { InvalidInputError } from "../../../../shared/src/core/errors.ts";
import type { ChatTemplate } from "../../../../shared/src/core/tasks/write-chat.ts";
import type { GeneratedToken, GenerateOptions } from "../../../../shared/src/ports/engine.ts";
import type { InferenceRequest } from "../../../../shared/src/ports/inference.ts";
import { type AnsweringModel, answerRequest } from "../../../../shared/src/use-cases/serving/answer-request.ts";
import { chatTemplate, chatTokenizer } from "../../../support/chat-model.ts";
import { type ScriptedModel, scriptedModel } from "../../../support/scripted-model.ts";

const tokenizer = chatTokenizer();
const { bos, eos } = tokenizer.vocabulary.roles as { bos: number; eos: number };
const SOURCES = { newId: () => "1", nowSeconds: () => 1234, newSeed: () => 99 };
const NEVER = new AbortController().signal;

let template: ChatTemplate;
beforeAll(async () => {
  template = await chatTemplate();
});

/** Each byte a token of its own: what it says is cut everywhere. */
const bytesOf = (text: string): GeneratedToken[] =>
  Array.from(new TextEncoder().encode(text), (byte) => ({ id: idOf(byte), logProb: -0.5 }));
const idOf = (byte: number) => tokenizer.vocabulary.tokens.findIndex((one) => one?.length === 1 && one[0] === byte);
const end: GeneratedToken = { id: eos, logProb: -0.1 };

function open(model: ScriptedModel, change: Partial<AnsweringModel> = {}): AnsweringModel {
  const { contextTokens } = model;
  return { model, tokenizer, template, ends: [eos], contextTokens, longestToken: 8, ...change };
}

const says = (text: string) => scriptedModel(() => [...bytesOf(text), end]);
const chat = (body: Partial<ChatRequest> = {}): InferenceRequest => ({
  kind: "chat",
  body: { model: "base", messages: [{ role: "user", content: "Once" }], ...body },
});
const completion = (body: Partial<CompletionRequest> = {}): InferenceRequest => ({
  kind: "completion",
  body: { model: "base", prompt: "Once", ...body },
});

async function all(model: AnsweringModel, request: InferenceRequest, signal = NEVER, adapter: string | null = null) {
  const chunks = [];
  for await (const chunk of answerRequest(model, SOURCES, request, adapter, signal)) chunks.push(chunk);
  return chunks;
}
const chatChunks = async (model: AnsweringModel, body?: Partial<ChatRequest>) =>
  (await all(model, chat(body))) as ChatChunk[];
const completionChunks = async (model: AnsweringModel, body?: Partial<CompletionRequest>) =>
  (await all(model, completion(body))) as CompletionChunk[];
const textOf = (chunks: readonly CompletionChunk[], index = 0) =>
  chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index).map(({ text }) => text)).join("");
const promptOf = ({ prompt }: GenerateOptions) =>
  [...prompt]
    .map((id) => tokenizer.vocabulary.strings[id])
    .join("")
    .replaceAll("Ġ", " ")
    .replaceAll("Ċ", "\n");

describe("a chat's answer", () => {
  it("begins with its role, goes on with text, ends with why it has ended, and tells its tokens last", async () => {
    const chunks = await chatChunks(open(says("Hi")));
    const head = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1234, model: "base" };
    const choice = (delta: object, finish_reason: string | null = null) => ({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    });
    const USAGE = {
      ...{ prompt_tokens: 17, completion_tokens: 2, total_tokens: 19 },
      prompt_tokens_details: { cached_tokens: 0 },
    };
    expect(chunks).toEqual([
      choice({ role: "assistant", content: "" }),
      choice({ content: "H" }),
      choice({ content: "i" }),
      choice({}, "stop"),
      { ...head, choices: [], usage: USAGE },
    ]);
  });

  it("continues what the model's template writes, its marks as special tokens", async () => {
    const model = says("");
    await chatChunks(open(model));
    expect(promptOf(model.asked[0])).toBe("<|im_start|>user\nOnce<|im_end|>\n<|im_start|>assistant\n");
    expect([...model.asked[0].prompt].filter((id) => id === bos)).toHaveLength(2);
    expect([...model.asked[0].prompt].filter((id) => id === eos)).toHaveLength(1);
    expect(model.asked[0].prompt).toHaveLength(17);
  });

  it("reads a developer's message as a system's, and parts of text as lines", async () => {
    const model = scriptedModel(() => [end], 128);
    const content = ["a", "b"].map((text) => ({ type: "text" as const, text }));
    await chatChunks(open(model), {
      messages: [
        { role: "developer", content: "so" },
        { role: "user", content },
      ],
    });
    expect(promptOf(model.asked[0])).toBe(
      "<|im_start|>system\nso<|im_end|>\n<|im_start|>user\na\nb<|im_end|>\n<|im_start|>assistant\n",
    );
  });

  it("goes on to the context's end, or for as many tokens as the newer name of the limit says", async () => {
    const long = () => scriptedModel(() => bytesOf("x".repeat(100)));
    const [unlimited, limited] = [long(), long()];
    const chunks = await chatChunks(open(unlimited));
    expect(chunks.at(-2)!.choices[0].finish_reason).toBe("length");
    expect(chunks.at(-1)!.usage).toMatchObject({ completion_tokens: 47, total_tokens: 64 });
    await chatChunks(open(limited), { max_tokens: 9, max_completion_tokens: 3 });
    expect(limited.asked[0].maxTokens).toBe(3);
    await chatChunks(open(limited), { max_tokens: 9 });
    expect(limited.asked[1].maxTokens).toBe(9);
  });

  it("goes no further than the server's own limit", async () => {
    const model = scriptedModel(() => bytesOf("x".repeat(100)));
    const chunks = await chatChunks(open(model, { contextTokens: 30 }));
    expect(chunks.at(-2)!.choices[0].finish_reason).toBe("length");
    expect(chunks.at(-1)!.usage!.total_tokens).toBe(30);
  });

  it.each([
    [
      "a special token in a message",
      { messages: [{ role: "user", content: "x<|im_end|>" }] },
      "CHAT_REFUSED",
      /^messages\[0\]: content/,
    ],
    [
      "a special token in a part of a message",
      {
        messages: [
          { role: "user", content: "x" },
          { role: "user", content: [{ type: "text", text: "<|im_start|>" }] },
        ],
      },
      "CHAT_REFUSED",
      /^messages\[1\]: content/,
    ],
    [
      "what the template refuses",
      { messages: [{ role: "assistant", content: "x" }] },
      "TEMPLATE_REFUSED",
      /refuses this conversation/,
    ],
    [
      "more than the model can read",
      { messages: [{ role: "user", content: "x".repeat(60) }] },
      "CONTEXT_LENGTH_EXCEEDED",
      /^This model's maximum context length is 64 tokens. However, your messages resulted in at least 6\d tokens/,
    ],
    ["half a character", { messages: [{ role: "user", content: "\ud83e" }] }, "INVALID_VALUE", /half a surrogate pair/],
  ] as [string, Partial<ChatRequest>, string, RegExp][])("is refused for %s", async (_, body, code, message) => {
    const model = says("x");
    const refused = { code, status: 400, param: "messages", message: expect.stringMatching(message) };
    await expect(chatChunks(open(model), body)).rejects.toMatchObject(refused);
    expect(model.asked).toEqual([]);
  });

  it("is refused by a model without a chat template, which answers completions", async () => {
    const refused = { code: "CHAT_TEMPLATE_MISSING", status: 400, param: "messages" };
    await expect(chatChunks(open(says("x"), { template: null }))).rejects.toMatchObject(refused);
    expect(textOf(await completionChunks(open(says("x"), { template: null })))).toBe("x");
  });

  it("is refused before it is read where its length alone is too much", async () => {
    let read = 0;
    const counting = {
      ...tokenizer,
      encode: (...given: Parameters<typeof tokenizer.encode>) => {
        read++;
        return tokenizer.encode(...given);
      },
    };
    const model = open(says("x"), { tokenizer: counting });
    const messages = [{ role: "user" as const, content: "x".repeat(64 * 8 + 1) }];
    await expect(chatChunks(model, { messages })).rejects.toMatchObject({
      code: "CONTEXT_LENGTH_EXCEEDED",
      message: expect.stringContaining("resulted in at least 65 tokens"),
    });
    expect(read).toBe(0);
  });
});

describe("a prompt", () => {
  it("is read no further than it fits", async () => {
    const lengths: number[] = [];
    const counting = {
      ...tokenizer,
      encode: (...given: Parameters<typeof tokenizer.encode>) => {
        const encoded = tokenizer.encode(...given);
        lengths.push(encoded.ids.length);
        return encoded;
      },
    };
    const model = open(says("x"), { tokenizer: counting });
    const words = "x y ".repeat(100);
    await expect(completionChunks(model, { prompt: words })).rejects.toMatchObject({ code: "CONTEXT_LENGTH_EXCEEDED" });
    expect(lengths).toHaveLength(1);
    expect(lengths[0]).toBeLessThan(70);
  });

  it.each(["x", " ", "7", "字"])("is refused where %j goes on without an end", async (character) => {
    const model = () => open(scriptedModel(() => [end], 200_000));
    const endless = { code: "INVALID_VALUE", message: expect.stringContaining("got 32769") };
    const run = (length: number) => character.repeat(length);
    await expect(completionChunks(model(), { prompt: run(32_769) })).rejects.toMatchObject({
      ...endless,
      param: "prompt",
    });
    const other = /[x字]/u.test(character) ? "." : "x";
    const messages = [{ role: "user" as const, content: `${other}${run(32_769)}${other}` }];
    await expect(chatChunks(model(), { messages })).rejects.toMatchObject({ ...endless, param: "messages" });
    await expect(completionChunks(model(), { prompt: run(32_768) })).resolves.toHaveLength(2);
    const words = Array.from({ length: 129 }, () => run(256)).join(other);
    await expect(completionChunks(model(), { prompt: words })).resolves.toHaveLength(2);
  });
});

describe("a completion", () => {
  it("continues a text behind the opening token, 16 tokens unless told otherwise", async () => {
    const model = scriptedModel(() => bytesOf("y".repeat(100)));
    const chunks = await completionChunks(open(model), { prompt: "Once <|im_end|>" });
    expect([...model.asked[0].prompt]).toEqual([bos, ...tokenizer.encode("Once <|im_end|>").ids]);
    expect([...model.asked[0].prompt]).not.toContain(eos);
    expect(textOf(chunks)).toBe("y".repeat(16));
    expect(chunks.at(-2)!.choices).toEqual([{ index: 0, text: "", logprobs: null, finish_reason: "length" }]);
    expect(chunks.at(-1)).toMatchObject({ id: "cmpl-1", object: "text_completion", choices: [] });
  });

  it("takes tokens as they are", async () => {
    const model = says("x");
    await completionChunks(open(model), { prompt: [eos, 5, 6] });
    expect([...model.asked[0].prompt]).toEqual([eos, 5, 6]);
  });

  it("is refused for tokens that the model has not", async () => {
    const refused = { code: "INVALID_VALUE", param: "prompt[1]", message: expect.stringContaining("got 4000") };
    await expect(completionChunks(open(says("x")), { prompt: [[1], [4000]] })).rejects.toMatchObject(refused);
  });

  it("answers several prompts, each n times, in order of prompts", async () => {
    const model = scriptedModel(({ prompt, seed }) => [...bytesOf(`${tokenizer.decode(prompt)}${seed} `), end]);
    const chunks = await completionChunks(open(model), { prompt: ["a", "b"], n: 2, seed: 5 });
    expect([0, 1, 2, 3].map((index) => textOf(chunks, index))).toEqual(["a5 ", "a6 ", "b5 ", "b6 "]);
    expect(chunks.at(-1)!.usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 12, total_tokens: 16 });
  });

  it("tells how much of its prompts was known before, each counted once", async () => {
    const model = scriptedModel(({ prompt }) => [
      { ...bytesOf("x")[0], reusedTokens: prompt.length - 1 },
      ...bytesOf("y"),
      end,
    ]);
    const chunks = await completionChunks(open(model), {
      prompt: [
        [1, 2, 3],
        [4, 5],
      ],
      n: 2,
    });
    expect(chunks.at(-1)!.usage).toMatchObject({ prompt_tokens: 5, prompt_tokens_details: { cached_tokens: 3 } });
  });

  it("begins with its prompt where that is to be echoed, and may be nothing else", async () => {
    const model = scriptedModel(() => bytesOf("yy"));
    const chunks = await completionChunks(open(model), { prompt: [[4], [5]], echo: true, max_tokens: 0 });
    expect([textOf(chunks, 0), textOf(chunks, 1)]).toEqual([tokenizer.decode([4]), tokenizer.decode([5])]);
    expect(chunks.at(-1)!.usage).toMatchObject({ completion_tokens: 0 });
    expect(textOf(await completionChunks(open(says("bc")), { prompt: "a", echo: true }))).toBe("abc");
  });

  it("has no room for an answer where the prompt fills the context", async () => {
    const full = Array.from({ length: 64 }, () => 5);
    await expect(completionChunks(open(says("x")), { prompt: full })).rejects.toMatchObject({
      code: "CONTEXT_LENGTH_EXCEEDED",
      param: "prompt",
      message: expect.stringContaining("your prompt resulted in 64 tokens"),
    });
    expect(textOf(await completionChunks(open(says("xy")), { prompt: full.slice(1) }))).toBe("x");
  });

  it("does not tell the tokens of an echoed prompt", async () => {
    const refused = { code: "UNSUPPORTED_PARAMETER", param: "logprobs" };
    await expect(completionChunks(open(says("x")), { echo: true, logprobs: 0 })).rejects.toMatchObject(refused);
  });
});

describe("an answer's text", () => {
  it("comes in whole characters, which together are the text", async () => {
    const chunks = await completionChunks(open(says("a🦊é")));
    expect(chunks.flatMap(({ choices }) => choices.map(({ text }) => text))).toEqual(["a", "🦊", "é", ""]);
  });

  it("ends before any of the stop texts", async () => {
    const model = () => open(says("one END two"));
    const chunks = await completionChunks(model(), { stop: ["two", "END", "Enough"] });
    expect(textOf(chunks)).toBe("one ");
    expect(chunks.at(-2)!.choices[0].finish_reason).toBe("stop");
    // up to the stop text's last token
    expect(chunks.at(-1)!.usage!.completion_tokens).toBe(7);
    expect(textOf(await completionChunks(model(), { stop: "two" }))).toBe("one END ");
    expect(textOf(await completionChunks(model(), { stop: [] }))).toBe("one END two");
  });

  it("ends with any of the tokens that end the model's texts", async () => {
    const model = scriptedModel(() => [...bytesOf("a"), { id: bos, logProb: 0 }, ...bytesOf("b")]);
    expect(textOf(await completionChunks(open(model, { ends: [eos, bos] })))).toBe("a");
    expect(textOf(await completionChunks(open(model)))).toBe("ab");
  });
});

describe("drawing", () => {
  const drawn = async (body: Partial<CompletionRequest>) => {
    const model = says("");
    await completionChunks(open(model), body);
    return model.asked.map(({ temperature, topK, topP, seed }) => ({ temperature, topK, topP, seed }));
  };

  it("is OpenAI's unless told otherwise: temperature 1, all tokens, another seed each time", async () => {
    expect(await drawn({})).toEqual([{ temperature: 1, topK: null, topP: null, seed: 99 }]);
  });

  it("takes what the request says; a share of 0 is the likeliest token alone", async () => {
    expect(await drawn({ temperature: 0.2, top_p: 0.5, seed: 7 })).toEqual([
      { temperature: 0.2, topK: null, topP: 0.5, seed: 7 },
    ]);
    expect(await drawn({ top_p: 0, temperature: 0 })).toMatchObject([{ topP: Number.MIN_VALUE, temperature: 0 }]);
  });

  it("is with other logits than the model's where the request has a bias, or penalties", async () => {
    const model = says("");
    await completionChunks(open(model), {
      logit_bias: { 5: -100, 0: 1.5 },
      presence_penalty: 1,
      frequency_penalty: -2,
    });
    expect(model.asked[0]).toMatchObject({
      bias: [
        { id: 0, bias: 1.5 },
        { id: 5, bias: -100 },
      ],
      presencePenalty: 1,
      frequencyPenalty: -2,
    });
    await expect(completionChunks(open(says("")), { logit_bias: { 4000: 1 } })).rejects.toMatchObject({
      code: "INVALID_VALUE",
      param: "logit_bias",
      message: expect.stringContaining("got 4000"),
    });
  });

  it("has a seed of its own for each answer to a prompt, whatever else is asked for", async () => {
    const seeds = async (body: Partial<CompletionRequest>) => (await drawn(body)).map(({ seed }) => seed);
    expect(await seeds({ seed: 3, n: 3 })).toEqual([3, 4, 5]);
    expect(await seeds({ seed: 3, n: 2, prompt: ["a", "b"] })).toEqual([3, 4, 3, 4]);
    expect(await seeds({ seed: -1, n: 2 })).toEqual([2 ** 53 - 1, 0]);
    expect(await seeds({ n: 2 })).toEqual([99, 100]);
  });

  it("is done with the adapter that is asked for, or none", async () => {
    const model = says("");
    await all(open(model), completion(), NEVER, "clinic-a@run-3");
    await all(open(model), chat(), NEVER, null);
    expect(model.asked.map(({ adapter }) => adapter)).toEqual(["clinic-a@run-3", null]);
  });
});

describe("tokens that are told", () => {
  const H = idOf(72);
  const i = idOf(105);
  const told: GeneratedToken[] = [
    {
      id: H,
      logProb: -0.25,
      top: [
        { id: i, logProb: -0.2 },
        { id: H, logProb: -0.25 },
      ],
    },
    {
      id: i,
      logProb: -3,
      top: [
        { id: i, logProb: -3 },
        { id: eos, logProb: -4 },
      ],
    },
  ];
  const model = () => open(scriptedModel(() => [...told, end]));

  it("are OpenAI's of chats: text, bytes, and the likeliest ones", async () => {
    const asked = scriptedModel(() => [...told, end]);
    const chunks = await chatChunks(open(asked), { logprobs: true, top_logprobs: 2 });
    expect(asked.asked[0].topLogProbs).toBe(2);
    expect(chunks.flatMap(({ choices }) => choices.map(({ logprobs }) => logprobs?.content ?? null))).toEqual([
      null,
      [
        {
          ...{ token: "H", logprob: -0.25, bytes: [72] },
          top_logprobs: [
            { token: "i", logprob: -0.2, bytes: [105] },
            { token: "H", logprob: -0.25, bytes: [72] },
          ],
        },
      ],
      [
        {
          ...{ token: "i", logprob: -3, bytes: [105] },
          top_logprobs: [
            { token: "i", logprob: -3, bytes: [105] },
            { token: "<|im_end|>", logprob: -4, bytes: null },
          ],
        },
      ],
      null,
    ]);
    expect(
      (await chatChunks(model(), {})).every(({ choices }) => choices.every(({ logprobs }) => logprobs === null)),
    ).toBe(true);
  });

  it("are OpenAI's of completions: lists, with the place of each in the text", async () => {
    const chunks = await completionChunks(model(), { logprobs: 1 });
    expect(chunks.flatMap(({ choices }) => choices.map(({ logprobs }) => logprobs))).toEqual([
      { tokens: ["H"], token_logprobs: [-0.25], top_logprobs: [{ i: -0.2, H: -0.25 }], text_offset: [0] },
      { tokens: ["i"], token_logprobs: [-3], top_logprobs: [{ i: -3, "<|im_end|>": -4 }], text_offset: [1] },
      null,
    ]);
    const alone = await completionChunks(open(says("H")), { logprobs: 0 });
    expect(alone[0].choices[0].logprobs!.top_logprobs).toEqual([{ H: -0.5 }]);
  });

  it("are told by their bytes where they are parts of a character, with the text that they begin", async () => {
    const chunks = await completionChunks(open(says("aé")), { logprobs: 0 });
    expect(chunks.flatMap(({ choices }) => choices.map(({ text, logprobs }) => [text, logprobs?.tokens]))).toEqual([
      ["a", ["a"]],
      ["é", ["bytes:\\xc3", "bytes:\\xa9"]],
      ["", undefined],
    ]);
    expect(chunks[1].choices[0].logprobs!.text_offset).toEqual([1, 1]);
  });

  it("are those of the text: none that a stop text cuts off whole, all that were held back else", async () => {
    const tokens = async (stop: string[], script: GeneratedToken[]) => {
      const chunks = await completionChunks(open(scriptedModel(() => script)), { logprobs: 0, stop });
      return chunks.flatMap(({ choices }) => choices.flatMap(({ logprobs }) => logprobs?.tokens ?? []));
    };
    expect(await tokens(["##!"], [...bytesOf("a##!b"), end])).toEqual(["a"]);
    expect(await tokens(["##!"], [...bytesOf("a##"), end])).toEqual(["a", "#", "#"]);
    expect(await tokens([], [...bytesOf("a"), { id: bos, logProb: 0 }, ...bytesOf("b"), end])).toEqual([
      ...["a", "<|im_start|>", "b"],
    ]);
  });
});

describe("an answer that is not waited for", () => {
  const waits = () => scriptedModel(({ seed }) => (seed === 0 ? bytesOf("abc") : [null]));

  it("ends all its texts where the loop is left", async () => {
    const model = waits();
    for await (const chunk of answerRequest(open(model), SOURCES, completion({ n: 4, seed: 0 }), null, NEVER)) {
      expect(chunk.choices[0]).toMatchObject({ index: 0, text: "a" });
      expect(model.running()).toBe(4);
      break;
    }
    expect(model.running()).toBe(0);
  });

  it("ends all its texts with the signal, and throws its reason", async () => {
    const model = waits();
    const client = new AbortController();
    const answer = all(open(model), completion({ n: 3, seed: 0 }), client.signal);
    setTimeout(() => client.abort(new Error("gone")), 20);
    await expect(answer).rejects.toThrow("gone");
    expect(model.running()).toBe(0);
  });

  it("begins none where the signal was given before", async () => {
    const model = waits();
    await expect(all(open(model), completion(), AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    expect(model.asked).toEqual([]);
  });

  it("ends all its texts where one of them fails", async () => {
    const model = scriptedModel(function* ({ seed }) {
      yield* bytesOf("a");
      if (seed === 1) throw new Error("broken");
      yield null;
    });
    await expect(all(open(model), completion({ n: 3, seed: 0 }))).rejects.toThrow("broken");
    expect(model.running()).toBe(0);
  });

  it("is nobody's mistake but the model's where its numbers are not finite", async () => {
    const broken = new InvalidInputError("MODEL_NOT_FINITE", "/models/secret: expected finite logits, got NaN");
    const model = scriptedModel(() => {
      throw broken;
    });
    await expect(all(open(model), completion())).rejects.toMatchObject({
      ...{ name: "InvariantError", code: "MODEL_NOT_FINITE", cause: broken },
    });
  });
});
