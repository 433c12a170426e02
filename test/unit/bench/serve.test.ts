import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { LLAMA_CPP_PROGRAM } from "../../../bench/peers/llama-cpp.ts";
import { askForStream, startLlamaServer } from "../../../bench/serving/http-peer.ts";
import { startLinePeer } from "../../../bench/serving/line-peer.ts";
import { loadFigures, quantile } from "../../../bench/serving/load-figures.ts";
import { makePrompts, PROMPT_TOKENS, SHARED_TOKENS } from "../../../bench/serving/prompts.ts";
import { itWithMaterial, material } from "../../support/material.ts";
import { byteLevelTokenizerJson, openJson } from "../../support/tiny-tokenizers.ts";

const itOnLinux = process.platform === "linux" ? it : it.skip;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bench-serve-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("prompts of an endpoint's load", () => {
  const tokenizer = openJson(byteLevelTokenizerJson([]));
  const texts = Array.from({ length: 5 }, (_, index) => `${index} is how this text begins. `.repeat(5));

  it("are of equal length, every second begins with the system prompt, and no two are the same", () => {
    const prompts = makePrompts(tokenizer, texts, null);
    const system = [...tokenizer.encode(texts[0]).ids].slice(0, SHARED_TOKENS);
    expect(prompts.map(({ length }) => length)).toEqual(Array(4).fill(PROMPT_TOKENS));
    expect(prompts.map((prompt) => `${prompt.slice(0, SHARED_TOKENS)}` === `${system}`)).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(new Set(prompts.map(String)).size).toBe(4);
  });

  it("begin with the token that a model wants first, and are no longer for it", () => {
    const prompts = makePrompts(tokenizer, texts, 7);
    expect(prompts.map(([first]) => first)).toEqual([7, 7, 7, 7]);
    expect(prompts.map(({ length }) => length)).toEqual(Array(4).fill(PROMPT_TOKENS));
  });

  it("are not made of a text that is too short", () => {
    expect(() => makePrompts(tokenizer, [texts[0], "short"], null)).toThrow(/at least 16 tokens, got 5: short/);
  });
});

describe("figures of a load", () => {
  it("count all texts of a burst over its time, and tell the median burst and the best", () => {
    const answers = [
      { firstSeconds: 0.1, seconds: 1, text: "a" },
      { firstSeconds: 0.4, seconds: 2.2, text: "b" },
    ];
    const bursts = [4, 2, 8].map((seconds) => ({ seconds, answers, processorSeconds: seconds / 2 }));
    expect(loadFigures(bursts, 10)).toEqual({
      tokensPerSecond: 5,
      bestTokensPerSecond: 10,
      firstTokenMs: { median: 100, p95: 400 },
      laterTokenMs: 100,
      processorMsPerToken: 116.7,
    });
  });

  it("take the nearest rank of unordered numbers", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0, 0.5, 0.95, 1].map((share) => quantile(hundred, share))).toEqual([1, 50, 95, 100]);
  });
});

describe("a request for a stream", () => {
  const ask = async (answer: (request: IncomingMessage, response: ServerResponse) => void) => {
    const server = createServer(answer).listen(0, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
    try {
      return await askForStream(
        {
          url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/completions`,
          headers: {},
          body: (prompt, tokens) => ({ prompt, tokens }),
          read: (event) => event as { text: string; tokens: number | null },
        },
        [1],
        2,
      );
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };

  it("joins events that arrive in pieces, and its first time is that of the first text", async () => {
    const streamed = await ask(async (_, response) => {
      response.write('data: {"text":"","tokens":null}\n\n');
      await new Promise((later) => setTimeout(later, 60));
      response.write('data: {"text":"Onc');
      await new Promise((later) => setTimeout(later, 60));
      response.write('e","tokens":null}\n\ndata: {"text":" é","tokens":2}\n\n');
      response.end("data: [DONE]\n\n");
    });
    expect(streamed).toMatchObject({ text: "Once é", tokens: 2 });
    expect(streamed.firstSeconds).toBeGreaterThan(0.1);
    expect(streamed.seconds).toBeGreaterThanOrEqual(streamed.firstSeconds);
  });

  it("tells what a server answered instead", async () => {
    await expect(ask((_, response) => response.writeHead(400).end("no such model"))).rejects.toThrow(
      /expected a stream, got 400: no such model/,
    );
  });
});

/** Speaks llama.cpp's server's protocol, as far as the bench asks: says a prompt again for each token, and counts one fewer where it begins with 9. */
const LLAMA_SERVER = `#!${process.execPath}
const { createServer } = require("node:http");
const option = (name) => process.argv[process.argv.indexOf(name) + 1];
const routes = {
  "/health": (_, response) => response.end("{}"),
  "/props": (_, response) => response.end(JSON.stringify({ build_info: [option("-m"), option("-t"), option("-np"), option("-c")].join(" ") })),
  "/completion": async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    const { prompt, n_predict, temperature, ignore_eos, stream } = JSON.parse(body);
    if (temperature !== 0 || !ignore_eos || !stream) return response.writeHead(400).end("not greedy");
    const event = (value) => response.write("data: " + JSON.stringify(value) + "\\n\\n");
    for (let token = 0; token < n_predict; token++) event({ content: prompt.join("-") + " ", stop: false });
    event({ content: "", stop: true, tokens_predicted: prompt[0] === 9 ? n_predict - 1 : n_predict });
    response.end();
  },
};
createServer((request, response) => routes[request.url](request, response)).listen(Number(option("--port")), "127.0.0.1");
`;

/** Takes node-llama-cpp's place: says each prompt's tokens again, from the last on. */
const NODE_LLAMA_CPP = `
export const getLlama = async ({ maxThreads }) => ({
  llamaCppRelease: { release: "for " + maxThreads + " threads" },
  loadModel: async ({ modelPath }) => ({
    createContext: async ({ sequences, contextSize }) => ({
      getSequence: () => ({
        async *evaluate(tokens, { temperature, yieldEogToken }) {
          if (temperature !== 0 || !yieldEogToken || modelPath !== "tiny.gguf" || contextSize !== 256) return;
          for (let at = 0; ; at++) yield tokens[(tokens.length - 1 + at) % tokens.length];
        },
        clearHistory: async () => {},
      }),
    }),
  }),
});
`;

const itOnLinuxWithMaterial = process.platform === "linux" ? itWithMaterial : it.skip;

itOnLinuxWithMaterial(
  "the bench asks fedmkt serve under every load, and says in one line what it found",
  () => {
    const main = fileURLToPath(new URL("../../../bench/main.ts", import.meta.url));
    const options = { models: "stories260k", tokens: 4, rounds: 1, concurrent: "1,2", threads: 1 };
    const written = execFileSync(
      process.execPath,
      [
        "--no-warnings",
        main,
        "serve",
        ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]),
      ],
      { encoding: "utf8", env: { ...process.env, FEDMKT_MATERIAL: material! }, stdio: ["ignore", "pipe", "ignore"] },
    );
    const { bench, results } = JSON.parse(written.trim().split("\n").at(-1)!);
    expect(bench).toBe("serve");
    const ours = results.stories260k["fedmkt serve"];
    expect(ours.peakMemoryMib).toBeGreaterThan(50);
    for (const load of ["1", "2"]) {
      expect(ours.concurrent[load]).toMatchObject({ oursAgainstIt: 1, sameTexts: 1 });
      expect(ours.concurrent[load].tokensPerSecond).toBeGreaterThan(0);
      expect(ours.concurrent[load].firstTokenMs.p95).toBeGreaterThanOrEqual(ours.concurrent[load].firstTokenMs.median);
    }
  },
  60_000,
);

describe("llama.cpp beside an endpoint", () => {
  itOnLinux("is asked as its own server, all prompts at once", async () => {
    const program = join(folder, "llama-server");
    writeFileSync(program, LLAMA_SERVER);
    chmodSync(program, 0o755);
    const sizes = { model: "tiny.gguf", threads: 2, concurrent: 4, contextTokens: 256 };
    const peer = await startLlamaServer("server", program, sizes);
    try {
      expect(peer.version).toBe("llama.cpp tiny.gguf 2 4 1024");
      const { answers } = await peer.answer([[1, 2], [3]], 2);
      expect(answers.map(({ text }) => text)).toEqual(["1-2 1-2 ", "3 3 "]);
      expect(peer.peakMemoryMib()).toBeGreaterThan(1);
      expect(peer.processorSeconds()).toBeGreaterThan(0);
      await expect(peer.answer([[9]], 2)).rejects.toThrow("server: expected 2 new tokens, got 1");
    } finally {
      await peer.end();
    }
  });

  itOnLinux("is asked in a process, by lines", async () => {
    const installed = join(folder, "node_modules/node-llama-cpp/dist");
    mkdirSync(installed, { recursive: true });
    writeFileSync(join(installed, "index.js"), NODE_LLAMA_CPP);
    writeFileSync(join(installed, "package.json"), '{"type":"module"}');
    const command = [process.execPath, "--no-warnings", LLAMA_CPP_PROGRAM, folder, "tiny.gguf", "2", "4", "256"];
    const peer = await startLinePeer("process", command, (prompt, ids) => `${prompt} → ${ids}`);
    expect(peer.version).toBe("llama.cpp for 2 threads");
    const { seconds, answers } = await peer.answer([[1, 2], [3]], 3);
    expect(answers.map(({ text }) => text)).toEqual(["1,2 → 2,1,2", "3 → 3,3,3"]);
    expect(seconds).toBeGreaterThanOrEqual(Math.max(...answers.map((answer) => answer.seconds)));
    await peer.end();
  });
});
