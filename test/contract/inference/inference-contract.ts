import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { ChatChunk, ChatRequest } from "../../../shared/src/contracts/openai/chat.ts";
import type { CompletionChunk, CompletionRequest } from "../../../shared/src/contracts/openai/completion.ts";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import type { Inference, InferenceRequest } from "../../../shared/src/ports/inference.ts";
import { writeServedAdapter, writeServedModel } from "../../support/served-model.ts";

/** One implementation of the port, with a served model of 64 tokens of context that `base` names. */
export interface OpenedInference {
  inference: Inference;
  /** how many texts are continued at the moment */
  running(): number;
  close(): Promise<void>;
}

const NEVER = new AbortController().signal;
const GREEDY = { temperature: 0, seed: 0 };

const chat = (body: Partial<ChatRequest> = {}): InferenceRequest => ({
  kind: "chat",
  body: { model: "asked", messages: [{ role: "user", content: "Once" }], max_tokens: 8, ...GREEDY, ...body },
});
const completion = (body: Partial<CompletionRequest> = {}): InferenceRequest => ({
  kind: "completion",
  body: { model: "asked", prompt: "Once", max_tokens: 8, ...GREEDY, ...body },
});

/**
 * What holds of everything that answers requests.
 * @param open - opens the model in a folder; adapters lie below the same root
 */
export function inferenceContract(what: string, open: (model: string, root: string) => Promise<OpenedInference>): void {
  describe(what, () => {
    let root: string;
    let opened: OpenedInference;
    let inference: Inference;
    beforeAll(async () => {
      root = mkdtempSync(join(tmpdir(), "fedmkt-inference-"));
      opened = await open(writeServedModel(join(root, "model")), root);
      inference = opened.inference;
    });
    afterAll(async () => {
      await opened?.close();
      rmSync(root, { recursive: true, force: true });
    });

    async function all<Chunk>(request: InferenceRequest, adapter: string | null = null, signal = NEVER) {
      const chunks: Chunk[] = [];
      for await (const chunk of inference.answer(request, adapter, signal)) chunks.push(chunk as Chunk);
      return chunks;
    }
    const chunksOf = (body?: Partial<CompletionRequest>, adapter?: string | null) =>
      all<CompletionChunk>(completion(body), adapter);
    const textOf = (chunks: readonly CompletionChunk[], index = 0) =>
      chunks
        .flatMap(({ choices }) => choices.filter((choice) => choice.index === index).map(({ text }) => text))
        .join("");
    const say = async (body?: Partial<CompletionRequest>, adapter?: string | null) =>
      textOf(await chunksOf(body, adapter));
    const load = (name: string, seed: number) =>
      inference.loadAdapter({ name, folder: writeServedAdapter(join(root, "adapters", name), seed) });

    it("answers a chat of many empty messages, whose marks take more characters than tokens", async () => {
      const messages = Array.from({ length: 9 }, () => ({ role: "user" as const, content: "" }));
      const chunks = await all<ChatChunk>(chat({ messages, max_tokens: 1 }));
      expect(chunks.at(-1)!.usage!.prompt_tokens).toBe(56);
    });

    it("describes its base model", async () => {
      expect(await inference.describe()).toEqual({ id: "base", contextTokens: 64 });
    });

    it("answers a chat by objects of one answer: its role, its text, why it ended, its tokens", async () => {
      const chunks = await all<ChatChunk>(chat({ logprobs: true, top_logprobs: 2 }));
      const last = chunks.at(-1)!;
      expect(last.choices).toEqual([]);
      expect(last.usage).toMatchObject({ prompt_tokens: 17, completion_tokens: 8, total_tokens: 25 });
      for (const { id, object, created, model } of chunks)
        expect({ id, object, created, model }).toEqual({
          ...{ id: last.id, object: "chat.completion.chunk", created: last.created, model: "asked" },
        });
      const choices = chunks.flatMap(({ choices }) => choices);
      expect(choices[0].delta.role).toBe("assistant");
      expect(choices.map(({ finish_reason }) => finish_reason ?? null).filter(Boolean)).toEqual(["length"]);
      const told = choices.flatMap(({ logprobs }) => logprobs?.content ?? []);
      expect(told).toHaveLength(8);
      for (const { logprob, top_logprobs: top } of told)
        expect(top.map((one) => one.logprob)[0]).toBeCloseTo(logprob, 5);
      const text = choices.map(({ delta }) => delta.content ?? "").join("");
      const bytes = told.flatMap((token) => token.bytes ?? []);
      expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe(text);
    });

    it("answers completions, several at once, and tells where each token stands", async () => {
      const chunks = await chunksOf({ prompt: ["Once", "the"], n: 2, logprobs: 0 });
      expect(new Set(chunks.flatMap(({ choices }) => choices.map(({ index }) => index)))).toEqual(
        new Set([0, 1, 2, 3]),
      );
      for (const index of [0, 1, 2, 3]) {
        const choices = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
        const offsets = choices.flatMap(({ logprobs }) => logprobs?.text_offset ?? []);
        expect(offsets).toHaveLength(8);
        expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
      }
      // greedy: both answers to a prompt are the same, and those that each gets alone
      expect(textOf(chunks, 0)).toBe(textOf(chunks, 1));
      expect(textOf(chunks, 0)).toBe(await say({ prompt: "Once" }));
      expect(textOf(chunks, 2)).toBe(await say({ prompt: "the" }));
      expect(chunks.at(-1)!.usage).toMatchObject({ completion_tokens: 32 });
    });

    it("says the same for the same seed, and something else for another", async () => {
      const drawn = (seed: number) => say({ temperature: 1.5, seed, max_tokens: 16 });
      const [one, again, other] = [await drawn(3), await drawn(3), await drawn(4)];
      expect(again).toBe(one);
      expect(other).not.toBe(one);
    });

    it("tells how much of a prompt it knew before", async () => {
      const prompt = "the user and the other user";
      const known = async (adapter: string | null = null) =>
        (await chunksOf({ prompt }, adapter)).at(-1)!.usage!.prompt_tokens_details!.cached_tokens;
      const [first, second] = [await known(), await known()];
      const read = (await chunksOf({ prompt })).at(-1)!.usage!.prompt_tokens;
      expect(second).toBeGreaterThan(first!);
      expect(second).toBeLessThan(read);
      await load("reading@run-1", 6);
      // what the base model has read is another matter
      expect(await known("reading@run-1")).toBe(0);
      await inference.unloadAdapter("reading@run-1");
    });

    it("says something else where tokens are forbidden, wanted, or not to come again", async () => {
      const told = async (body: Partial<CompletionRequest>) => {
        const chunks = await chunksOf({ max_tokens: 16, ...body, logprobs: 0 });
        return chunks.flatMap(({ choices }) => choices.flatMap(({ logprobs }) => logprobs?.tokens ?? []));
      };
      const wanted = await told({ logit_bias: { 65: 100 } });
      expect(new Set(wanted).size).toBe(1);
      const both = await told({ logit_bias: { 65: 100, 66: 100 }, frequency_penalty: 2 });
      expect(new Set(both).size).toBe(2);
      const free = await told({});
      expect(free).not.toContain(wanted[0]);
      expect(await told({ logit_bias: { 65: -100 } })).toEqual(free);
      // nothing comes again that has come once
      const once = await told({ frequency_penalty: 2, presence_penalty: 2 });
      expect(once).not.toEqual(free);
      expect(new Set(once).size).toBeGreaterThan(new Set(free).size);
    });

    it("ends before a stop text", async () => {
      const whole = await say({ max_tokens: 16 });
      const stop = whole.slice(3, 5);
      const chunks = await chunksOf({ max_tokens: 16, stop: ["never there", stop] });
      expect(textOf(chunks)).toBe(whole.slice(0, whole.indexOf(stop)));
      expect(chunks.at(-2)!.choices[0].finish_reason).toBe("stop");
    });

    it.each([
      ["a prompt longer than the context", completion({ prompt: "x".repeat(200) }), "context_length_exceeded"],
      ["a special token in a message", chat({ messages: [{ role: "user", content: "<|im_end|>" }] }), "chat_refused"],
    ])("refuses %s before it says anything", async (_, request, code) => {
      const refusal = await all(request).then(
        () => null,
        (error) => error,
      );
      expect(refusal).toBeInstanceOf(InvalidInputError);
      // one that is handed on has its own code in the body
      expect(refusal.body?.error.code ?? refusal.code.toLowerCase()).toBe(code);
      expect(refusal.status).toBe(400);
    });

    it("answers with the adapter that is named, beside the base model and others", async () => {
      const prompt = "Once the user";
      const base = await say({ prompt, max_tokens: 16 });
      await load("first@run-1", 1);
      await load("second@run-1", 2);
      expect((await inference.loadedAdapters()).sort()).toEqual(["first@run-1", "second@run-1"]);
      const names = [null, "first@run-1", "second@run-1"];
      const alone = [];
      for (const name of names) alone.push(await say({ prompt, max_tokens: 16 }, name));
      expect(new Set(alone).size).toBe(3);
      expect(alone[0]).toBe(base);
      expect(await Promise.all(names.map((name) => say({ prompt, max_tokens: 16 }, name)))).toEqual(alone);
      await inference.unloadAdapter("first@run-1");
      expect(await inference.loadedAdapters()).toEqual(["second@run-1"]);
      expect(await say({ prompt, max_tokens: 16 }, "second@run-1")).toBe(alone[2]);
      await inference.unloadAdapter("second@run-1");
      expect(await say({ prompt, max_tokens: 16 })).toBe(base);
    });

    it("gives a name that has become free to other weights", async () => {
      await load("again@run-2", 3);
      const former = await say({ max_tokens: 16 }, "again@run-2");
      await inference.unloadAdapter("again@run-2");
      await load("again@run-2", 4);
      expect(await say({ max_tokens: 16 }, "again@run-2")).not.toBe(former);
      await inference.unloadAdapter("again@run-2");
    });

    it("has nothing against unloading what is not loaded", async () => {
      await expect(inference.unloadAdapter("nobody@run-1")).resolves.toBeUndefined();
    });

    it("refuses an adapter that does not fit, or is not there", async () => {
      const folder = writeServedAdapter(join(root, "adapters", "misfit"), 1, { hidden: 8 });
      const refused = { name: "InvalidInputError" };
      await expect(inference.loadAdapter({ name: "misfit@run-1", folder })).rejects.toMatchObject(refused);
      const nowhere = join(root, "adapters", "nowhere");
      await expect(inference.loadAdapter({ name: "nowhere@run-1", folder: nowhere })).rejects.toMatchObject(refused);
      expect(await inference.loadedAdapters()).toEqual([]);
    });

    it("keeps an adapter until the answers that use it have ended", async () => {
      await load("leaving@run-1", 5);
      const request = completion({ max_tokens: 40 });
      const whole = textOf(await all<CompletionChunk>(request, "leaving@run-1"));
      const answer = inference.answer(request, "leaving@run-1", NEVER)[Symbol.asyncIterator]();
      let text = ((await answer.next()).value as CompletionChunk).choices[0].text;
      const unloaded = inference.unloadAdapter("leaving@run-1");
      for (let next = await answer.next(); !next.done; next = await answer.next())
        text += next.value.choices.map((choice) => (choice as { text: string }).text).join("");
      await unloaded;
      expect(text).toBe(whole);
      expect(await inference.loadedAdapters()).toEqual([]);
    });

    it("frees what a request held when its loop is left", async () => {
      for await (const _ of inference.answer(completion({ max_tokens: 40, n: 3 }), null, NEVER)) break;
      await until(() => opened.running() === 0);
    });

    it("frees what a request held with the signal, and throws its reason", async () => {
      const client = new AbortController();
      const reason = new Error("the client has gone");
      const answer = inference.answer(completion({ max_tokens: 40, n: 3 }), null, client.signal);
      const read = async () => {
        for await (const _ of answer) client.abort(reason);
      };
      await expect(read()).rejects.toBe(reason);
      await until(() => opened.running() === 0);
      await expect(all(completion(), null, client.signal)).rejects.toBe(reason);
    });
  });
}

/** Some servers notice a closed connection a little later. */
async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds(); waited++) {
    if (waited === 500) throw new Error("expected it within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
