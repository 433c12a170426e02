import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { GENERATE_PROGRAM, type GenerateAnswer, type GenerateRequest } from "./engine/generate.ts";

const PEER_PROGRAM = fileURLToPath(new URL("./peers/generate.py", import.meta.url));
const MATERIAL = resolve(process.env.FEDMKT_MATERIAL ?? fileURLToPath(new URL("../../shared", import.meta.url)));
/** Where what a token costs is measured, by the text's length. */
const CONTEXTS = [64, 256, 512, 1024];
const TOKENS_AT_CONTEXT = 24;

/** A process that generates. */
interface Generator {
  name: string;
  ask(request: GenerateRequest): Promise<GenerateAnswer>;
  end(): void;
}

/** What one process needed, over the rounds. */
interface Timing {
  tokensPerSecond: number;
  medianTokensPerSecond: number;
  firstTokenMs: number;
  peakMemoryMib: number;
}

/**
 * Greedy generation beside transformers' generate: processes take turns, round by round, with equal prompts and threads. Times
 * are minima and medians over the rounds after the first. Then what a token costs the engine as the text grows.
 *
 * @param argv - --peer PYTHON: one with torch and transformers, as installed and tuned (bench/peers/generate.py); --threads 2;
 *   --rounds 7. SmolLM2-135M is read from FEDMKT_SMOLLM2 and left out where it is not set
 */
export async function run(argv: string[]): Promise<object> {
  const { values } = parseArgs({
    args: argv,
    options: {
      peer: { type: "string" },
      threads: { type: "string", default: "2" },
      rounds: { type: "string", default: "7" },
    },
  });
  const threads = Number(values.threads);
  const rounds = Number(values.rounds);
  const smolLm2 = resolve(process.env.FEDMKT_SMOLLM2 ?? "FEDMKT_SMOLLM2 is not set");
  const models = [
    { name: "stories260k", folder: resolve(MATERIAL, "models/stories260k"), tokens: 200, longest: 512 },
    { name: "smollm2-135m", folder: smolLm2, tokens: 24, longest: 1024 },
  ];
  const results: Record<string, object> = {};
  for (const { name, folder, tokens, longest } of models) {
    if (!existsSync(folder)) {
      console.error(`${name} is left out: expected its folder, found none at ${folder}`);
      continue;
    }
    const generators = await startGenerators(folder, threads, values.peer);
    try {
      const beside = await compare(generators, { prompt: promptOf(8), tokens }, rounds);
      results[name] = {
        ...beside,
        byContext: await measureContexts(generators[0], longest, rounds),
      };
      console.error(name, JSON.stringify(results[name]));
    } finally {
      for (const generator of generators) generator.end();
    }
  }
  return { threads, rounds, results };
}

async function startGenerators(folder: string, threads: number, peer: string | undefined): Promise<Generator[]> {
  const python = (...more: string[]) => [peer!, PEER_PROGRAM, folder, "--threads", `${threads}`, ...more];
  return [
    await start("engine", [process.execPath, GENERATE_PROGRAM, folder, `${threads}`]),
    ...(peer ? [await start("torchTuned", python("--tuned")), await start("torch", python())] : []),
  ];
}

async function start(name: string, [program, ...rest]: string[]): Promise<Generator> {
  const child = spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${name}: expected an answer, but the process has ended`);
    return JSON.parse(value);
  };
  await next();
  return {
    name,
    ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return next();
    },
    end: () => child.stdin.end(),
  };
}

/** Token ids that any vocabulary has, always the same. */
function promptOf(length: number): number[] {
  return Array.from({ length }, (_, at) => (at === 0 ? 1 : 3 + ((at * 7919) % 500)));
}

async function compare(generators: readonly Generator[], request: GenerateRequest, rounds: number) {
  const answers = new Map<string, GenerateAnswer[]>(generators.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++)
    for (const { name, ask } of generators) answers.get(name)!.push(await ask(request));
  const timings = Object.fromEntries([...answers].map(([name, found]) => [name, timingOf(found, request.tokens)]));
  const texts = new Set([...answers.values()].flat().map(({ ids }) => ids.join(" ")));
  const ratio = (other: string) =>
    timings[other] && round(timings.engine.tokensPerSecond / timings[other].tokensPerSecond);
  return { ...timings, sameTokens: texts.size === 1, againstTuned: ratio("torchTuned"), againstPlain: ratio("torch") };
}

function timingOf(answers: readonly GenerateAnswer[], tokens: number): Timing {
  const warm = answers.slice(1);
  const rests = warm.map(({ restSeconds }) => restSeconds).sort((a, b) => a - b);
  return {
    tokensPerSecond: round((tokens - 1) / rests[0]),
    medianTokensPerSecond: round((tokens - 1) / rests[rests.length >> 1]),
    firstTokenMs: round(Math.min(...warm.map(({ firstSeconds }) => firstSeconds)) * 1000),
    peakMemoryMib: Math.max(...answers.map(({ peakMemoryMib }) => peakMemoryMib)),
  };
}

/** What a token costs where the text is so long, and the straight line through it: all of a text then costs its length times that. */
async function measureContexts(generator: Generator, longest: number, rounds: number) {
  const contexts = CONTEXTS.filter((context) => context <= longest).map((context) =>
    Math.min(context, longest - TOKENS_AT_CONTEXT),
  );
  const best = new Array<number>(contexts.length).fill(Number.POSITIVE_INFINITY);
  for (let round = 0; round <= rounds; round++)
    for (const [index, context] of contexts.entries()) {
      const { restSeconds } = await generator.ask({ prompt: promptOf(context), tokens: TOKENS_AT_CONTEXT });
      best[index] = Math.min(best[index], (restSeconds * 1000) / (TOKENS_AT_CONTEXT - 1));
    }
  return { contexts, tokenMs: best.map(round), line: fitLine(contexts, best) };
}

/** Least squares. */
function fitLine(x: readonly number[], y: readonly number[]) {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const covariance = (a: readonly number[], b: readonly number[]) =>
    mean(a.map((value, index) => (value - mean(a)) * (b[index] - mean(b))));
  const slope = covariance(x, y) / covariance(x, x);
  return {
    tokenMs: round(mean(y) - slope * mean(x)),
    more: { ms: round(slope * 1000), perTokensOfContext: 1000 },
    determination: round(covariance(x, y) ** 2 / covariance(x, x) / covariance(y, y)),
  };
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
