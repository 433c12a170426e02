import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { peakMemoryMib } from "../engine/peak-memory.ts";
import { processorSeconds } from "../engine/processor-time.ts";
import type { Answer, Peer } from "./peer.ts";

const FEDMKT = fileURLToPath(new URL("../../cli/bin/fedmkt.mjs", import.meta.url));
/** Until a server answers that it is there. */
const START_MS = 120_000;
const ASK_AGAIN_MS = 200;
/** Of what a server says, told where it does not start. */
const LAST_CHARACTERS = 2000;

/** How a server is asked over HTTP for a stream of text. */
export interface StreamProtocol {
  url: string;
  headers: Readonly<Record<string, string>>;
  body(prompt: readonly number[], tokens: number): object;
  /** what one event of the stream says; tokens: how many are new, where it says that */
  read(event: unknown): { text: string; tokens: number | null };
}

export interface Streamed extends Answer {
  /** new ones, as the server counts them */
  tokens: number | null;
}

/** @throws Error where the answer is none */
export async function askForStream(
  protocol: StreamProtocol,
  prompt: readonly number[],
  tokens: number,
): Promise<Streamed> {
  const begun = performance.now();
  const response = await fetch(protocol.url, {
    method: "POST",
    headers: { "content-type": "application/json", ...protocol.headers },
    body: JSON.stringify(protocol.body(prompt, tokens)),
  });
  if (!response.ok || response.body === null)
    throw new Error(`${protocol.url}: expected a stream, got ${response.status}: ${await response.text()}`);
  const streamed: Streamed = { seconds: 0, firstSeconds: 0, text: "", tokens: null };
  let unread = "";
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (unread + piece).split("\n\n");
    unread = events.pop()!;
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data === undefined || data === "[DONE]") continue;
      const read = protocol.read(JSON.parse(data));
      if (streamed.text === "" && read.text !== "") streamed.firstSeconds = (performance.now() - begun) / 1000;
      streamed.text += read.text;
      if (read.tokens !== null) streamed.tokens = read.tokens;
    }
  }
  streamed.seconds = (performance.now() - begun) / 1000;
  return streamed;
}

/** `fedmkt serve` in a process of its own. */
export async function startServe(folder: string, threads: number, concurrent: number): Promise<Peer> {
  const options = { model: folder, threads, concurrent, port: 0, "metrics-port": 0 };
  const child = spawn(
    process.execPath,
    [
      "--no-warnings",
      FEDMKT,
      "serve",
      "--json",
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]),
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let said = "";
  child.stderr.on("data", (piece: Buffer) => {
    said = (said + piece).slice(-LAST_CHARACTERS);
  });
  const { value, done } = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
  if (done) throw new Error(`fedmkt serve: expected its address, but it has ended: ${said}`);
  const { url, key, model } = JSON.parse(value).data as { url: string; key: string; model: { id: string } };
  return httpPeer("fedmkt serve", `node ${process.version}`, child, {
    url: `${url}/v1/completions`,
    headers: { authorization: `Bearer ${key}` },
    body: (prompt, tokens) => ({
      model: model.id,
      prompt,
      max_tokens: tokens,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    }),
    read(event) {
      const { choices, usage } = event as { choices: { text: string }[]; usage?: { completion_tokens: number } | null };
      return { text: choices.map(({ text }) => text).join(""), tokens: usage?.completion_tokens ?? null };
    },
  });
}

/** llama.cpp's own server, as it is set unless told, with one slot a request. */
export async function startLlamaServer(
  name: string,
  program: string,
  {
    model,
    threads,
    concurrent,
    contextTokens,
  }: { model: string; threads: number; concurrent: number; contextTokens: number },
): Promise<Peer> {
  const port = await freePort();
  const options = [
    "-m",
    model,
    "-t",
    threads,
    "-tb",
    threads,
    "-np",
    concurrent,
    "-c",
    concurrent * contextTokens,
    "--port",
    port,
  ];
  const child = spawn(program, options.map(String), { stdio: ["ignore", "ignore", "ignore"] });
  const url = `http://127.0.0.1:${port}`;
  await untilHealthy(name, url, child);
  const { build_info: version } = (await (await fetch(`${url}/props`)).json()) as { build_info: string };
  return httpPeer(name, `llama.cpp ${version}`, child, {
    url: `${url}/completion`,
    headers: {},
    body: (prompt, tokens) => ({ prompt, n_predict: tokens, temperature: 0, ignore_eos: true, stream: true }),
    read(event) {
      const {
        content,
        stop,
        tokens_predicted: tokens,
      } = event as {
        content: string;
        stop: boolean;
        tokens_predicted: number;
      };
      return { text: content, tokens: stop ? tokens : null };
    },
  });
}

function httpPeer(name: string, version: string, child: ChildProcess, protocol: StreamProtocol): Peer {
  return {
    name,
    version,
    async answer(prompts, tokens) {
      const begun = performance.now();
      const answers = await Promise.all(prompts.map((prompt) => askForStream(protocol, prompt, tokens)));
      const seconds = (performance.now() - begun) / 1000;
      for (const answer of answers)
        if (answer.tokens !== tokens) throw new Error(`${name}: expected ${tokens} new tokens, got ${answer.tokens}`);
      return { seconds, answers };
    },
    peakMemoryMib: () => peakMemoryMib(child.pid),
    processorSeconds: () => processorSeconds(child.pid!),
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function untilHealthy(name: string, url: string, child: ChildProcess): Promise<void> {
  const end = performance.now() + START_MS;
  while (performance.now() < end) {
    if (child.exitCode !== null) throw new Error(`${name}: expected a server, but it ended with ${child.exitCode}`);
    const response = await fetch(`${url}/health`).catch(() => null);
    if (response?.ok) return;
    await sleep(ASK_AGAIN_MS);
  }
  child.kill("SIGKILL");
  throw new Error(`${name}: expected a server at ${url} within ${START_MS / 1000} s`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
