import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import type { VocabularyMap } from "../shared/src/core/knowledge.ts";
import { MAP_PROGRAM, type MapAnswer } from "./vocabulary-map/map.ts";

const PEER_PROGRAM = fileURLToPath(new URL("./peers/vocabulary_map.py", import.meta.url));
const MATERIAL = resolve(process.env.FEDMKT_MATERIAL ?? fileURLToPath(new URL("../../shared", import.meta.url)));
/** Pairs at which ours and the peer's are timed in turns, and what is to be shown of each. */
const BESIDE_PEER = [
  { source: "gpt2", target: "mistral_v0.1", timesFaster: 10 },
  { source: "mistral_v0.1", target: "gpt2", timesFaster: 10 },
] as const;
const LARGE = { source: "qwen", target: "mistral_v0.1", secondsBelow: 5 } as const;
const MEMORY_BELOW_MIB = 500;
/** First so many tokens of both vocabularies of the first pair; then whole pairs. */
const GROWTH = [1000, 2000, 4000, 8000, 16_000, 32_000];
const GROWTH_PAIRS = [
  ["gpt2", "mistral_v0.1"],
  ["gpt2", "gpt_neox_pythia"],
  ["qwen", "mistral_v0.1"],
  ["mistral_v0.1", "qwen"],
  ["qwen", "cl100k_base"],
] as const;
const PLOT_CELLS = 48;

type PeerAnswer = Pick<MapAnswer, "seconds" | "threadSeconds" | "peakMemoryMib" | "map">;

/**
 * Vocabulary maps, full and exact, beside rapidfuzz: every measurement in a process of its own, ours and the peer's in turns, on
 * one thread, from vocabularies in memory to the finished map; the least time of all rounds counts for both, and beside it the
 * thread's processor time, for machines that do other work. Then how the time grows with the vocabularies, as a plot.
 *
 * @param argv - --peer PYTHON: one with rapidfuzz, numpy and tokenizers; without it only ours is timed. --rounds 3;
 *   --rule reference (rapidfuzz maps by this one alone)
 */
export async function run(argv: string[]): Promise<object> {
  const { values } = parseArgs({
    args: argv,
    options: {
      peer: { type: "string" },
      rounds: { type: "string", default: "3" },
      rule: { type: "string", default: "reference" },
    },
  });
  if (!existsSync(tokenizer("gpt2"))) throw new Error(`${tokenizer("gpt2")}: expected a tokenizer, found none`);
  const rounds = Number(values.rounds);
  const rule = values.rule as VocabularyMap["rule"];
  const beside = [];
  for (const { source, target, timesFaster } of BESIDE_PEER) {
    const ours: MapAnswer[] = [];
    const peers: PeerAnswer[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await measure(source, target, rule));
      if (values.peer) peers.push(await measurePeer(values.peer, source, target));
    }
    const own = best(ours);
    const peer = peers.length === 0 ? null : best(peers);
    const ratio = peer && peer.seconds / own.seconds;
    beside.push({
      source,
      target,
      seconds: own.seconds,
      threadSeconds: own.threadSeconds,
      peakMemoryMib: own.peakMemoryMib,
      ...(peer && {
        rapidfuzzSeconds: peer.seconds,
        rapidfuzzThreadSeconds: peer.threadSeconds,
        ratio,
        threadRatio: peer.threadSeconds / own.threadSeconds,
        sameMap: rule === "reference" ? peer.map === own.map : null,
        met: ratio! >= timesFaster && own.peakMemoryMib < MEMORY_BELOW_MIB,
      }),
    });
    console.error(
      `${source} → ${target}: ${own.seconds.toFixed(2)} s, ${own.peakMemoryMib} MiB${peer ? `; rapidfuzz ${peer.seconds.toFixed(2)} s: ${ratio!.toFixed(1)} times ours (aim: ${timesFaster}), ${(peer.threadSeconds / own.threadSeconds).toFixed(1)} times in processor time, ${peer.map === own.map ? "the same map" : "another map"}` : ""}`,
    );
  }
  const larges: MapAnswer[] = [];
  for (let round = 0; round < rounds; round++) larges.push(await measure(LARGE.source, LARGE.target, rule));
  const large = { source: LARGE.source, target: LARGE.target, ...best(larges) };
  console.error(
    `${LARGE.source} → ${LARGE.target}: ${large.seconds.toFixed(2)} s (aim: below ${LARGE.secondsBelow}), ${large.peakMemoryMib} MiB (aim: below ${MEMORY_BELOW_MIB})`,
  );
  const growth = await measureGrowth(rule, rounds);
  console.error(`\n${plot(growth)}`);
  return {
    rule,
    rounds,
    beside,
    large: { ...large, met: large.seconds < LARGE.secondsBelow && large.peakMemoryMib < MEMORY_BELOW_MIB },
    growth,
  };
}

function tokenizer(name: string): string {
  return join(MATERIAL, "data/tokenizers", `${name}.tokenizer.json`);
}

function best<T extends PeerAnswer>(answers: readonly T[]): T {
  return {
    ...answers[0],
    threadSeconds: Math.min(...answers.map(({ threadSeconds }) => threadSeconds)),
    seconds: Math.min(...answers.map(({ seconds }) => seconds)),
    peakMemoryMib: Math.max(...answers.map(({ peakMemoryMib }) => peakMemoryMib)),
  };
}

async function measure(
  source: string,
  target: string,
  rule: VocabularyMap["rule"],
  tokens = Number.MAX_SAFE_INTEGER,
): Promise<MapAnswer> {
  const files = { source: tokenizer(source), target: tokenizer(target) };
  const request = JSON.stringify({ ...files, rule, sourceTokens: tokens, targetTokens: tokens });
  const { stdout } = await promisify(execFile)(process.execPath, [MAP_PROGRAM, request]);
  return JSON.parse(stdout);
}

async function measurePeer(python: string, source: string, target: string): Promise<PeerAnswer> {
  const { stdout } = await promisify(execFile)(python, [PEER_PROGRAM, tokenizer(source), tokenizer(target)]);
  return JSON.parse(stdout);
}

interface Growth {
  source: string;
  target: string;
  sourceTokens: number;
  targetTokens: number;
  seconds: number;
  threadSeconds: number;
  peakMemoryMib: number;
}

async function measureGrowth(rule: VocabularyMap["rule"], rounds: number): Promise<Growth[]> {
  const [[source, target]] = GROWTH_PAIRS;
  const points = [
    ...GROWTH.map((tokens) => ({ source, target, tokens })),
    ...GROWTH_PAIRS.map(([from, to]) => ({ source: from, target: to, tokens: Number.MAX_SAFE_INTEGER })),
  ];
  const growth: Growth[] = [];
  for (const { source: from, target: to, tokens } of points) {
    const answers: MapAnswer[] = [];
    for (let round = 0; round < rounds; round++) answers.push(await measure(from, to, rule, tokens));
    const { map: _, ...answer } = best(answers);
    growth.push({ source: from, target: to, ...answer });
  }
  return growth.toSorted((a, b) => a.sourceTokens * a.targetTokens - b.sourceTokens * b.targetTokens);
}

/** One line a point, by how many pairs of tokens there are; a bar as long as the processor time. */
function plot(growth: readonly Growth[]): string {
  const most = Math.max(...growth.map(({ threadSeconds }) => threadSeconds));
  return [
    `${"tokens".padEnd(44)}${"pairs".padStart(9)}${"seconds".padStart(8)}${"MiB".padStart(6)}`,
    ...growth.map(({ source, target, sourceTokens, targetTokens, threadSeconds, peakMemoryMib }) => {
      const pairs = `${((sourceTokens * targetTokens) / 1e6).toFixed(0)} M`;
      const bar = "█".repeat(Math.max(1, Math.round((threadSeconds / most) * PLOT_CELLS)));
      const name = `${source} ${sourceTokens} → ${target} ${targetTokens}`;
      return `${name.padEnd(44)}${pairs.padStart(9)}${threadSeconds.toFixed(2).padStart(8)}${String(peakMemoryMib).padStart(6)} ${bar}`;
    }),
  ].join("\n");
}
