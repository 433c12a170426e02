import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { ChatChunk } from "../../../shared/src/contracts/openai/chat.ts";
import type { CompletionChunk, CompletionRequest } from "../../../shared/src/contracts/openai/completion.ts";
import type { Inference } from "../../../shared/src/ports/inference.ts";
import { openInference } from "../../support/open-inference.ts";
import { writeServedAdapter, writeServedModel } from "../../support/served-model.ts";
import { dataOf } from "../../support/tiny-model.ts";

const NEVER = new AbortController().signal;

describe("what fedmkt generate says", () => {
  let folder: string;
  let inference: Inference;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "fedmkt-as-served-"));
    writeServedModel(join(folder, "model"));
    writeServedAdapter(join(folder, "adapter"), 1);
    ({ inference } = await openInference(join(folder, "model")));
    await inference.loadAdapter({ name: "tuned@run", folder: join(folder, "adapter") });
  });
  afterAll(async () => {
    await inference?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function served(body: Partial<CompletionRequest>, adapter: string | null = null) {
    let text = "";
    let end: string | null = null;
    const request = { kind: "completion", body: { model: "base", prompt: "Once", ...body } } as const;
    for await (const { choices } of inference.answer(request, adapter, NEVER))
      for (const choice of choices as CompletionChunk["choices"]) {
        text += choice.text;
        end = choice.finish_reason ?? end;
      }
    return { text, end };
  }
  const generated = async (...args: string[]) => {
    const { text, end } = await dataOf(folder, ["generate", "model", "--prompt", "Once", ...args]);
    return { text, end };
  };

  it("is what the endpoint answers to a completion: greedy, drawn by a seed, up to a stop text, with an adapter", async () => {
    const greedy = await generated("--max-tokens", "24");
    expect(greedy.text).not.toBe("");
    expect(await served({ temperature: 0, max_tokens: 24 })).toEqual(greedy);
    const sampling = ["--temperature", "0.8", "--top-p", "0.9", "--seed", "7", "--max-tokens", "24"];
    const drawn = await generated(...sampling);
    expect(await served({ temperature: 0.8, top_p: 0.9, seed: 7, max_tokens: 24 })).toEqual(drawn);
    const stop = drawn.text.slice(4, 6);
    expect(await served({ temperature: 0.8, top_p: 0.9, seed: 7, max_tokens: 24, stop })).toEqual(
      await generated(...sampling, "--stop", stop),
    );
    expect(await served({ temperature: 0, max_tokens: 24 }, "tuned@run")).toEqual(
      await generated("--max-tokens", "24", "--adapter", "adapter"),
    );
  });

  it("is what the endpoint answers to a message, with the model's chat template", async () => {
    let text = "";
    const messages = [{ role: "user" as const, content: "Once" }];
    const request = { kind: "chat", body: { model: "base", messages, temperature: 0, max_tokens: 24 } } as const;
    for await (const { choices } of inference.answer(request, null, NEVER))
      for (const { delta } of choices as ChatChunk["choices"]) text += delta.content ?? "";
    const template = ["--chat-template", "model/tokenizer_config.json"];
    expect((await generated("--max-tokens", "24", ...template)).text).toBe(text);
  });

  it("ends, as the endpoint's answers do, with every token that generation_config.json names", async () => {
    const sampling = ["--temperature", "0.8", "--seed", "7", "--max-tokens", "24"];
    const drawing = { temperature: 0.8, seed: 7, max_tokens: 24 };
    const { text, tokens } = await dataOf(folder, ["generate", "model", "--prompt", "Once", ...sampling]);
    const ids = (tokens as { id: number }[]).map(({ id }) => id);
    const end = ids.find((id, index) => index > 3 && ids.indexOf(id) === index)!;
    writeFileSync(join(folder, "model/generation_config.json"), JSON.stringify({ eos_token_id: [2, end] }));
    try {
      const again = await openInference(join(folder, "model"));
      const before = inference;
      inference = again.inference;
      const ended = await generated(...sampling);
      expect(ended.end).toBe("stop");
      expect(ended.text.length).toBeLessThan(text.length);
      expect(text.startsWith(ended.text)).toBe(true);
      expect(await served(drawing)).toEqual(ended);
      await inference.close();
      inference = before;
    } finally {
      rmSync(join(folder, "model/generation_config.json"));
    }
  });
});
