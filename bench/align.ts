import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { alignKnowledge } from "../shared/src/core/alignment/align-knowledge.ts";
import { mapVocabulary } from "../shared/src/core/alignment/vocabulary-map.ts";
import { makeKnowledge, openMaterialTokenizer, readPieces } from "./align/alignment-material.ts";
import { compareWithPeer, leastSeconds, type PeerComparison } from "./align/peer-alignments.ts";

const TOP_K = 128;
const SAMPLES = 64;
const SAMPLE_CHARACTERS = 1024;
const AIMS = { positionsPerSecond: 300_000, timesFaster: 30 };

/** From a source of knowledge to a target; a real text that both can write. */
const PAIRS = [
  { source: "gpt2", target: "mistral_v0.1", text: "grimms_fairy_tales" },
  { source: "mistral_v0.1", target: "gpt2", text: "grimms_fairy_tales" },
  { source: "stories260k_tok512", target: "babyllama105", text: "tinystories_train" },
] as const;

interface Throughput {
  source: string;
  target: string;
  learn: "group" | "token";
  alignedPositions: number;
  positionsPerSecond: number;
}

/**
 * Alignment by byte offset and transfer of a shard of knowledge, in aligned positions a second on one core; and `dtw` and
 * `greedy-dp` beside FATE-LLM's own functions on the same texts. The least time of all rounds counts.
 */
export async function run(argv: string[]): Promise<object> {
  const { values } = parseArgs({
    args: argv,
    options: { peer: { type: "string" }, rounds: { type: "string", default: "3" } },
  });
  const material = process.env.FEDMKT_MATERIAL ?? fileURLToPath(new URL("../../shared", import.meta.url));
  const rounds = Number(values.rounds);
  const rows = measureThroughput(material, rounds);
  const peers =
    values.peer === undefined
      ? []
      : PAIRS.slice(0, 2).flatMap((pair) => compareWithPeer(values.peer!, material, { ...pair, topK: TOP_K, rounds }));
  if (peers.length === 0)
    console.error("without --peer PYTHON (bench/peers/align.py says what it needs) FATE-LLM is not measured");
  console.error(describe(rows, peers));
  const aims = [
    ...rows.map(({ source, target, learn, positionsPerSecond }) => ({
      name: `${source} → ${target}, ${learn}`,
      positionsPerSecond,
      atLeast: AIMS.positionsPerSecond,
      met: positionsPerSecond >= AIMS.positionsPerSecond,
    })),
    ...peers.map(({ source, target, strategy, alignTimesFaster, transferTimesFaster, equal }) => ({
      name: `${source} → ${target}, ${strategy} beside FATE-LLM`,
      alignTimesFaster,
      transferTimesFaster,
      atLeast: AIMS.timesFaster,
      met: equal && Math.min(alignTimesFaster, transferTimesFaster) >= AIMS.timesFaster,
    })),
  ];
  return { topK: TOP_K, rounds, rows, peers, aims };
}

/** Pair after pair in each round, so that what else the machine does falls on all alike. */
function measureThroughput(material: string, rounds: number): Throughput[] {
  const prepared = PAIRS.map(({ source, target, text }) => {
    const [from, to] = [source, target].map((name) => openMaterialTokenizer(material, name));
    const texts = readPieces(material, text, SAMPLE_CHARACTERS, SAMPLES);
    return {
      source,
      target,
      vocabularies: { source: from.vocabulary, target: to.vocabulary },
      map: mapVocabulary(from.vocabulary, to.vocabulary, "product"),
      offered: makeKnowledge(texts, from, TOP_K),
      owned: makeKnowledge(texts, to, 1),
    };
  });
  const best = new Map<string, Throughput>();
  for (let round = 0; round < rounds; round++)
    for (const { source, target, vocabularies, map, offered, owned } of prepared)
      for (const learn of ["group", "token"] as const) {
        const settings = { alignment: "byte-offset", transfer: "product", learn, temperature: 1 } as const;
        const [seconds, aligned] = leastSeconds(() => alignKnowledge(offered, owned, map, vocabularies, settings), 10);
        const { alignedPositions } = aligned.statistics;
        const name = `${source} ${target} ${learn}`;
        const positionsPerSecond = Math.round(alignedPositions / seconds);
        if (positionsPerSecond > (best.get(name)?.positionsPerSecond ?? 0))
          best.set(name, { source, target, learn, alignedPositions, positionsPerSecond });
      }
  return [...best.values()];
}

function describe(rows: readonly Throughput[], peers: readonly PeerComparison[]): string {
  return [
    ...rows.map(
      (row) =>
        `${row.source} → ${row.target}, ${row.learn}: ${row.positionsPerSecond.toLocaleString("en")} positions/s`,
    ),
    ...peers.map(
      (row) =>
        `${row.source} → ${row.target}, ${row.strategy}: alignment ${row.alignTimesFaster.toFixed(1)} times, with transfer ${row.transferTimesFaster.toFixed(1)} times as fast as FATE-LLM; ${row.equal ? "equal" : "NOT EQUAL"}`,
    ),
  ].join("\n");
}
