import { describe, expect, it } from "@jest/globals";
import {
  StreamFold,
  type StreamObject,
  writeChatCompletion,
  writeCompletion,
} from "../../../../shared/src/core/serving/fold-chunks.ts";
import { type JsonObject, mergeDelta } from "../../../../shared/src/core/serving/merge-delta.ts";

const head = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 5, model: "m" };
const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };

function fold(objects: readonly Partial<StreamObject>[]) {
  const stream = new StreamFold();
  for (const object of objects) stream.add({ ...head, choices: [], ...object } as StreamObject);
  return stream.result();
}

describe("a stream of a chat, folded", () => {
  it("is one answer with all its text, why it ended, and the usage", () => {
    const folded = fold([
      { choices: [{ index: 0, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }] },
      { choices: [{ index: 0, delta: { content: "He" }, finish_reason: null }] },
      { choices: [{ index: 0, delta: { content: "llo" }, finish_reason: null }] },
      { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
      { usage },
    ]);
    expect(writeChatCompletion(folded)).toEqual({
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 5,
      model: "m",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Hello", refusal: null },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
      usage,
    });
  });

  it("is the assistant's message, also where nobody said whose it is", () => {
    const folded = fold([{ choices: [{ index: 0, delta: { content: "a" } }] }, { usage }]);
    expect((writeChatCompletion(folded).choices as JsonObject[])[0]).toMatchObject({ message: { role: "assistant" } });
  });

  it("keeps several answers apart, whatever order they come in", () => {
    const say = (index: number, content: string) => ({ choices: [{ index, delta: { content } }] });
    const folded = fold([say(2, "c"), say(0, "a"), say(1, "b"), say(0, "A"), say(2, "C"), { usage }]);
    const { choices } = writeChatCompletion(folded) as { choices: { index: number; message: JsonObject }[] };
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, "aA"],
      [1, "b"],
      [2, "cC"],
    ]);
  });

  it("joins the log-probabilities of all pieces", () => {
    const token = (name: string) => ({ token: name, logprob: -1, bytes: [1], top_logprobs: [] });
    const say = (name: string) => ({
      choices: [{ index: 0, delta: { content: name }, logprobs: { content: [token(name)], refusal: null } }],
    });
    const folded = fold([say("a"), say("b"), { usage }]);
    expect((writeChatCompletion(folded).choices as JsonObject[])[0]).toMatchObject({
      logprobs: { content: [token("a"), token("b")], refusal: null },
      finish_reason: null,
    });
  });

  it("keeps what a server behind tells beyond: calls of tools, thoughts, its own fields", () => {
    const call = (entry: JsonObject) => ({ choices: [{ index: 0, delta: { tool_calls: [entry] } }] });
    const folded = fold([
      call({ index: 1, id: "y", type: "function", function: { name: "g", arguments: "" } }),
      call({ index: 0, id: "x", type: "function", function: { name: "f", arguments: '{"a"' } }),
      call({ index: 0, type: "function", function: { name: "f", arguments: ":1}" } }),
      { choices: [{ index: 0, delta: { reasoning_content: "so " } }] },
      { choices: [{ index: 0, delta: { reasoning_content: "be it" }, finish_reason: "tool_calls", stop_reason: 7 }] },
      { usage, system_fingerprint: "fp" },
    ]);
    expect(writeChatCompletion(folded)).toMatchObject({
      system_fingerprint: "fp",
      choices: [
        {
          message: {
            content: null,
            reasoning_content: "so be it",
            tool_calls: [
              { index: 0, id: "x", type: "function", function: { name: "f", arguments: '{"a":1}' } },
              { index: 1, id: "y", type: "function", function: { name: "g", arguments: "" } },
            ],
          },
          finish_reason: "tool_calls",
          stop_reason: 7,
        },
      ],
    });
  });

  it("is refused where its usage was never told: it broke off", () => {
    expect(() => fold([{ choices: [{ index: 0, delta: { content: "a" } }] }])).toThrow(
      expect.objectContaining({
        name: "InvariantError",
        code: "STREAM_UNFINISHED",
        message: expect.stringContaining("ended before its usage was told"),
      }),
    );
  });

  it("takes the last usage that was told, and no null for one", () => {
    expect(fold([{ usage: { ...usage, completion_tokens: 1 } }, { usage }, { usage: null }]).usage).toEqual(usage);
  });
});

describe("a stream of a completion, folded", () => {
  it("is one answer with all its text and log-probabilities", () => {
    const say = (text: string, at: number, finish_reason: string | null) => ({
      choices: [
        {
          index: 0,
          text,
          finish_reason,
          logprobs: {
            tokens: [text],
            token_logprobs: [-at],
            top_logprobs: [{ index: 0, [text]: -at }],
            text_offset: [at],
          },
        },
      ],
    });
    expect(writeCompletion(fold([say("a", 0, null), say("b", 1, "length"), { usage }]))).toEqual({
      ...head,
      object: "text_completion",
      choices: [
        {
          index: 0,
          text: "ab",
          logprobs: {
            tokens: ["a", "b"],
            token_logprobs: [-0, -1],
            top_logprobs: [
              { index: 0, a: -0 },
              { index: 0, b: -1 },
            ],
            text_offset: [0, 1],
          },
          finish_reason: "length",
        },
      ],
      usage,
    });
  });

  it("has an empty text where nothing was said", () => {
    expect(writeCompletion(fold([{ choices: [{ index: 0 }] }, { usage }])).choices).toEqual([
      { index: 0, text: "", logprobs: null, finish_reason: null },
    ]);
  });
});

describe("merging what a stream tells", () => {
  const merge = (...deltas: JsonObject[]) => {
    const told: JsonObject = {};
    for (const delta of deltas) mergeDelta(told, delta);
    return told;
  };

  it.each(["id", "type", "role", "name", "index", "finish_reason", "stop_reason"])(
    "takes %s whole each time",
    (name) => {
      expect(merge({ [name]: "a" }, { [name]: "b" })).toEqual({ [name]: "b" });
    },
  );

  it("lets null add nothing, and take nothing away", () => {
    expect(merge({ a: null, b: "x" }, { a: "y", b: null, c: undefined })).toEqual({ a: "y", b: "x", c: null });
  });

  it("takes the newer where two are not of one kind", () => {
    expect(merge({ a: "x", b: [1], c: { d: 1 }, e: 1 }, { a: 2, b: { f: 3 }, c: [4], e: 5 })).toEqual({
      a: 2,
      b: { f: 3 },
      c: [4],
      e: 5,
    });
  });

  it("changes nothing that it was given", () => {
    const first = { list: [{ a: 1 }], object: { text: "a" }, tool_calls: [{ index: 0, text: "a" }] };
    const told = merge(first);
    mergeDelta(told, { list: [2], object: { text: "b" }, tool_calls: [{ index: 0, text: "b" }] });
    expect(first).toEqual({ list: [{ a: 1 }], object: { text: "a" }, tool_calls: [{ index: 0, text: "a" }] });
    expect(told).toEqual({ list: [{ a: 1 }, 2], object: { text: "ab" }, tool_calls: [{ index: 0, text: "ab" }] });
  });

  it("takes nothing that is no object for a call of a tool", () => {
    expect(merge({ tool_calls: [null, 3, { index: 1 }] }, { tool_calls: "none" })).toEqual({ tool_calls: "none" });
    expect(merge({ tool_calls: "none" }, { tool_calls: [null, [], { index: 1 }] })).toEqual({
      tool_calls: [{ index: 1 }],
    });
  });

  it("reaches no prototype", () => {
    const told = merge(JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":1}}}'), {
      a: JSON.parse('{"__proto__":{"polluted":1}}'),
    });
    expect(({} as JsonObject).polluted).toBeUndefined();
    expect((told as JsonObject).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(told)).toBe(Object.prototype);
  });
});
