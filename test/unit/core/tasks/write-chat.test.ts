import { describe, expect, it } from "@jest/globals";
import {
  type ChatMessage,
  type ChatTemplate,
  writeChat,
  writePrompt,
} from "../../../../shared/src/core/tasks/write-chat.ts";

const CHAT: ChatMessage[] = [
  { role: "user", content: "Why?" },
  { role: "assistant", content: "So." },
];

/** A template in the manner of most, with a part changed. */
function template(change: Partial<ChatTemplate> = {}): ChatTemplate {
  return {
    render: (messages, opens) =>
      `<s>${messages.map(({ role, content }) => `[${role}] ${content}</s>\n`).join("")}${opens ? "[assistant]" : ""}`,
    bos: "<s>",
    marks: ["<s>", "</s>", "<never>"],
    ...change,
  };
}

describe("a conversation", () => {
  it("is the prompt up to where the answer is opened, and the answer, without BOS and what comes after it", () => {
    expect(writeChat(CHAT, template())).toEqual({
      prompt: "[user] Why?</s>\n[assistant]",
      completion: " So.",
      marks: ["</s>"],
    });
  });

  it("keeps its beginning where that is no BOS", () => {
    expect(writeChat(CHAT, template({ bos: "" }))).toMatchObject({
      prompt: "<s>[user] Why?</s>\n[assistant]",
      marks: ["<s>", "</s>"],
    });
    expect(writeChat(CHAT, template({ bos: "[user]" }))).toMatchObject({ prompt: "<s>[user] Why?</s>\n[assistant]" });
  });

  it("may be an answer to nothing", () => {
    expect(writeChat(CHAT.slice(1), template())).toMatchObject({ prompt: "[assistant]", completion: " So." });
  });

  const rendered = (last: string) => ({
    render: (messages: readonly ChatMessage[], opens: boolean) =>
      opens ? "Q:" : `Q:${last.replace("*", messages.at(-1)!.content)}`,
  });

  it("has as its answer what the template writes before it, but nothing that comes after", () => {
    expect(writeChat(CHAT, template(rendered("<think></think>*, So. again")))).toMatchObject({
      completion: "<think></think>So.",
    });
  });

  it("ends with the answer as it stands, or without white space where the template trims it", () => {
    const spaced = [CHAT[0], { role: "assistant", content: " So. " }];
    expect(writeChat(spaced, template(rendered("*!")))).toMatchObject({ completion: " So. " });
    expect(writeChat(spaced, template({ render: (_, opens) => (opens ? "Q:" : "Q: So.!") }))).toMatchObject({
      completion: " So.",
    });
  });

  it.each<[string, ChatMessage[], Partial<ChatTemplate>, string]>([
    [
      "that holds a special token, in whatever message",
      [CHAT[0], { role: "assistant", content: "a </s> b" }],
      {},
      "messages[1]: content: expected text without special tokens of the chat template's model, got one",
    ],
    [
      "whose answer changes what stands before it",
      CHAT,
      { render: (messages) => String(messages.length) },
      "the chat template writes what stands before the answer otherwise once the answer is there, so that the two cannot be told apart",
    ],
    ["whose answer is not written as it is", CHAT, rendered("SO."), "the chat template changes the answer's text"],
    [
      "before whose answer there are special tokens",
      CHAT,
      rendered("</s>*"),
      "the chat template writes special tokens between the prompt and the answer, which is to be text",
    ],
  ])("is refused %s", (_, messages, change, refusal) => {
    expect(writeChat(messages, template(change))).toEqual({ refusal });
  });
});

describe("messages that are to be answered", () => {
  it("are a prompt that ends where the answer is opened", () => {
    expect(writePrompt(CHAT.slice(0, 1), template())).toEqual({
      prompt: "[user] Why?</s>\n[assistant]",
      marks: ["</s>"],
    });
  });

  it("hold no special tokens", () => {
    expect(writePrompt([{ role: "user", content: "<s>" }], template())).toEqual({
      refusal: "messages[0]: content: expected text without special tokens of the chat template's model, got one",
    });
  });
});
