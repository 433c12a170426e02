import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openTokenizer } from "../shared/src/adapters/tokenizers/open-tokenizer.ts";
import type { Tokenizer } from "../shared/src/ports/tokenizer.ts";
import { readPieces } from "./align/alignment-material.ts";
import { LLAMA_CPP_PROGRAM } from "./peers/llama-cpp.ts";
import { startLlamaServer, startServe } from "./serving/http-peer.ts";
import { startLinePeer } from "./serving/line-peer.ts";
import { figure, type LoadFigures, loadFigures, quantile } from "./serving/load-figures.ts";
import type { Burst, Peer } from "./serving/peer.ts";
import { makePrompts, PROMPT_TOKENS } from "./serving/prompts.ts";

const MATERIAL = resolve(process.env.FEDMKT_MATERIAL ?? fileURLToPath(new URL("../../shared", import.meta.url)));
const program = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** Requests of a round at each load: with fewer at once there are more bursts. */
const LEAST_REQUESTS = 4;
/** Characters of a text: more than its tokens have. */
const CHARACTERS = 1000;
const GGUF_KINDS = ["f32", "f16", "q8_0"] as const;
const NODE_LLAMA_CPP = "3.22.1";
const OURS = "fedmkt serve";

interface Settings {
  threads: number;
  rounds: number;
  tokens: number;
  concurrent: readonly number[];
  python: string | undefined;
  llama: string | undefined;
  llamaServer: string | undefined;
}

interface ServedFolder {
  name: string;
  folder: string;
  text: string;
  /** token that its prompts begin with */
  first: number | null;
}

/**
 * Texts that are continued for 1, 4 and 16 who ask at once, greedily, by `fedmkt serve` over HTTP, and by others: transformers'
 * generate, whose texts are one batch, and llama.cpp in f32, f16 and Q8_0, in a process of its own and as its own server. All take
 * turns, burst by burst, with equal prompts, numbers of tokens and threads; the first round counts for nothing.
 *
 * @param argv - --peer PYTHON: one with torch, transformers, numpy and gguf; --llama FOLDER: where node-llama-cpp is installed, or is
 *   to be by npm; --llama-server PROGRAM: llama.cpp's own server; --models, --concurrent: which, with commas between; --tokens 64;
 *   --rounds 5; --threads 2. SmolLM2-135M is read from FEDMKT_SMOLLM2 and left out where it is not set
 */
export async function run(argv: string[]): Promise<object> {
  const { values } = parseArgs({
    args: argv,
    options: {
      peer: { type: "string" },
      llama: { type: "string" },
      "llama-server": { type: "string" },
      models: { type: "string", default: "stories260k,smollm2-135m" },
      concurrent: { type: "string", default: "1,4,16" },
      tokens: { type: "string", default: "64" },
      rounds: { type: "string", default: "5" },
      threads: { type: "string", default: "2" },
    },
  });
  const settings: Settings = {
    threads: Number(values.threads),
    rounds: Number(values.rounds),
    tokens: Number(values.tokens),
    concurrent: values.concurrent.split(",").map(Number),
    python: values.peer,
    llama: values.llama,
    llamaServer: values["llama-server"],
  };
  if ((settings.llama ?? settings.llamaServer) !== undefined && settings.python === undefined)
    throw new Error("--llama and --llama-server: expected --peer PYTHON too, which writes the GGUF files");
  if (settings.llama !== undefined) installLlama(settings.llama);
  const smolLm2 = process.env.FEDMKT_SMOLLM2;
  const folders: ServedFolder[] = [
    { name: "stories260k", folder: join(MATERIAL, "models/stories260k"), text: "tinystories_train", first: 1 },
    { name: "smollm2-135m", folder: resolve(smolLm2 ?? "FEDMKT_SMOLLM2"), text: "grimms_fairy_tales", first: null },
  ];
  const results: Record<string, object> = {};
  for (const served of folders) {
    if (!values.models.split(",").includes(served.name)) continue;
    if (!existsSync(served.folder)) {
      console.error(`${served.name} is left out: expected its folder, found none at ${served.folder}`);
      continue;
    }
    results[served.name] = await measure(served, settings);
    console.error(served.name, JSON.stringify(results[served.name], null, 1));
  }
  const { threads, rounds, tokens } = settings;
  return { threads, rounds, promptTokens: PROMPT_TOKENS, tokens, results };
}

async function measure(served: ServedFolder, settings: Settings): Promise<object> {
  const read = (file: string) => readFileSync(join(served.folder, file));
  const tokenizer = openTokenizer(read("tokenizer.json"), read("config.json"), served.name);
  const made = await mkdtemp(join(tmpdir(), "fedmkt-bench-serve-"));
  const peers: Peer[] = [];
  try {
    for (const start of starts(served.folder, tokenizer, made, settings)) peers.push(await start());
    return await compare(peers, promptSource(served, tokenizer, settings), settings);
  } finally {
    for (const peer of peers) await peer.end();
    await rm(made, { recursive: true });
  }
}

/** @param made - folder for what the peers need made */
function* starts(
  folder: string,
  tokenizer: Tokenizer,
  made: string,
  settings: Settings,
): Generator<() => Promise<Peer>> {
  const { threads, tokens, python, llama, llamaServer } = settings;
  const most = Math.max(...settings.concurrent);
  yield () => startServe(folder, threads, most);
  if (python === undefined) return;
  const textAfter = (prompt: readonly number[], ids: readonly number[]) =>
    tokenizer.decode([...prompt, ...ids]).slice(tokenizer.decode(prompt).length);
  const torch = [python, program("./peers/generate_batch.py"), folder, "--threads", `${threads}`];
  yield () => startLinePeer("transformers, tuned", [...torch, "--tuned"], textAfter);
  yield () => startLinePeer("transformers", torch, textAfter);
  if ((llama ?? llamaServer) === undefined) return;
  const out = join(made, basename(folder));
  execFileSync(python, [program("./peers/write_gguf.py"), folder, out], { stdio: ["ignore", "ignore", "inherit"] });
  const contextTokens = Math.ceil((PROMPT_TOKENS + tokens + 1) / 256) * 256;
  for (const kind of GGUF_KINDS) {
    const model = `${out}-${kind}.gguf`;
    const sizes = [threads, most, contextTokens].map(String);
    if (llama !== undefined)
      yield () =>
        startLinePeer(
          `llama.cpp ${kind}, in process`,
          [process.execPath, LLAMA_CPP_PROGRAM, llama, model, ...sizes],
          textAfter,
        );
    if (llamaServer !== undefined)
      yield () =>
        startLlamaServer(`llama.cpp ${kind}, server`, llamaServer, { model, threads, concurrent: most, contextTokens });
  }
}

/** @returns prompts for so many requests that were never given out before */
function promptSource({ text, first }: ServedFolder, tokenizer: Tokenizer, { rounds, concurrent }: Settings) {
  const needed = (rounds + 1) * concurrent.reduce((sum, level) => sum + level * burstsAt(level), 0);
  const prompts = makePrompts(tokenizer, readPieces(MATERIAL, text, CHARACTERS, needed + 1), first);
  return (count: number) => prompts.splice(0, count);
}

function burstsAt(concurrent: number): number {
  return Math.max(1, Math.ceil(LEAST_REQUESTS / concurrent));
}

async function compare(peers: readonly Peer[], nextPrompts: (count: number) => number[][], settings: Settings) {
  const bursts = new Map(
    settings.concurrent.map((level) => [level, new Map(peers.map(({ name }) => [name, [] as Burst[]]))]),
  );
  for (let round = 0; round <= settings.rounds; round++)
    for (const level of settings.concurrent)
      for (let burst = 0; burst < burstsAt(level); burst++) {
        const prompts = nextPrompts(level);
        for (const { name, answer, processorSeconds } of peers) {
          const before = processorSeconds();
          const taken = await answer(prompts, settings.tokens);
          if (round > 0)
            bursts
              .get(level)!
              .get(name)!
              .push({ ...taken, processorSeconds: processorSeconds() - before });
        }
      }
  return Object.fromEntries(
    peers.map(({ name, version, peakMemoryMib }) => [
      name,
      {
        version,
        peakMemoryMib: peakMemoryMib(),
        concurrent: Object.fromEntries(
          [...bursts].map(([level, found]) => [level, besideOurs(found.get(name)!, found.get(OURS)!, settings.tokens)]),
        ),
      },
    ]),
  );
}

interface BesideOurs extends LoadFigures {
  /** ours in tokens a second / theirs, in turns: of the median pair of bursts */
  oursAgainstIt: number;
  /** of all texts: those that are ours to the last character */
  sameTexts: number;
}

function besideOurs(theirs: readonly Burst[], ours: readonly Burst[], tokens: number): BesideOurs {
  const texts = theirs.flatMap(({ answers }, index) =>
    answers.map(({ text }, at) => text === ours[index].answers[at].text),
  );
  const ratios = theirs.map(({ seconds }, index) => seconds / ours[index].seconds);
  return {
    ...loadFigures(theirs, tokens),
    oursAgainstIt: figure(quantile(ratios, 0.5)),
    sameTexts: figure(texts.filter(Boolean).length / texts.length),
  };
}

/** It is no dependency of the project: hundreds of megabytes that only this needs. */
function installLlama(folder: string): void {
  if (existsSync(join(folder, "node_modules/node-llama-cpp/package.json"))) return;
  mkdirSync(folder, { recursive: true });
  const packages = [
    `node-llama-cpp@${NODE_LLAMA_CPP}`,
    `@node-llama-cpp/${process.platform}-${process.arch}@${NODE_LLAMA_CPP}`,
  ];
  // the build for this machine's processor is named; the optional ones are those for others and for GPUs
  const options = ["--prefix", folder, "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"];
  execFileSync("npm", ["install", ...options, ...packages], { stdio: ["ignore", "inherit", "inherit"] });
}
