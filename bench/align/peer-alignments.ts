import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { boundaryMarkOf } from "../../shared/src/core/alignment/boundary-mark.ts";
import { alignByDtw } from "../../shared/src/core/alignment/dtw.ts";
import { alignByGreedyDp } from "../../shared/src/core/alignment/greedy-dp.ts";
import { tokenSpeller } from "../../shared/src/core/alignment/token-strings.ts";
import { FateTransfer, type TransferredScores } from "../../shared/src/core/alignment/transfer-fate.ts";
import { mapVocabulary } from "../../shared/src/core/alignment/vocabulary-map.ts";
import type { VocabularyMap } from "../../shared/src/core/knowledge.ts";
import type { Tokenizer } from "../../shared/src/ports/tokenizer.ts";
import { makeKnowledge, openMaterialTokenizer, readPieces } from "./alignment-material.ts";

const SCRIPT = fileURLToPath(new URL("../peers/align.py", import.meta.url));
const STRATEGIES = ["dtw", "greedy-dp"] as const;
type Strategy = (typeof STRATEGIES)[number];

interface PeerCase {
  source: number[];
  target: number[];
  logits: number[][];
  indices: number[][];
}
interface PeerResult {
  alignSeconds: number;
  transferSeconds: number;
  alignments: unknown;
  outputs: [logits: number[][], indices: number[][]][];
}

/** One strategy on the same texts: the least times of all rounds, from tokens in memory to the alignment, and to what is learned. */
export interface PeerComparison {
  source: string;
  target: string;
  strategy: Strategy;
  texts: number;
  targetTokens: number;
  equal: boolean;
  alignSeconds: number;
  peerAlignSeconds: number;
  alignTimesFaster: number;
  transferSeconds: number;
  peerTransferSeconds: number;
  transferTimesFaster: number;
}

/** FATE-LLM's own functions and ours on the same texts and the same K scores a position, in turns; the results must be equal. */
export function compareWithPeer(
  python: string,
  material: string,
  { source, target, topK, rounds }: { source: string; target: string; topK: number; rounds: number },
): PeerComparison[] {
  const [from, to] = [source, target].map((name) => openMaterialTokenizer(material, name));
  const texts = readPieces(material, "grimms_fairy_tales", 1100, 16);
  const map = mapVocabulary(from.vocabulary, to.vocabulary, "reference");
  const cases = makeCases(texts, from, to, topK);
  const folder = mkdtempSync(join(tmpdir(), "fedmkt-align-"));
  const file = join(folder, "cases.json");
  writeFileSync(file, JSON.stringify(peerInput(from, to, map, cases)));
  try {
    const best = new Map<Strategy, PeerComparison>();
    for (let round = 0; round < rounds; round++) {
      const peer: Record<Strategy, PeerResult> = JSON.parse(
        execFileSync(python, [SCRIPT, file], { encoding: "utf8", maxBuffer: 2 ** 30 }),
      );
      for (const strategy of STRATEGIES) {
        const ours = measure(strategy, from, to, map, cases);
        const { alignSeconds: peerAlign, transferSeconds: peerTransfer } = peer[strategy];
        const known = best.get(strategy);
        const alignSeconds = Math.min(ours.alignSeconds, known?.alignSeconds ?? Infinity);
        const peerAlignSeconds = Math.min(peerAlign, known?.peerAlignSeconds ?? Infinity);
        const transferSeconds = Math.min(ours.transferSeconds, known?.transferSeconds ?? Infinity);
        const peerTransferSeconds = Math.min(peerTransfer, known?.peerTransferSeconds ?? Infinity);
        best.set(strategy, {
          source,
          target,
          strategy,
          texts: texts.length,
          targetTokens: cases.reduce((sum, { target: ids }) => sum + ids.length, 0),
          equal: isEqual(ours, peer[strategy]) && (known?.equal ?? true),
          alignSeconds,
          peerAlignSeconds,
          alignTimesFaster: peerAlignSeconds / alignSeconds,
          transferSeconds,
          peerTransferSeconds,
          transferTimesFaster: peerTransferSeconds / transferSeconds,
        });
      }
    }
    return [...best.values()];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function makeCases(texts: readonly string[], from: Tokenizer, to: Tokenizer, topK: number): PeerCase[] {
  return texts.map((text) => {
    const known = makeKnowledge([text], from, topK);
    const source = [...from.encode(text).ids];
    // the opening token's knowledge stands for the first token's, and so on: what is said matters little here
    const rows = source.map((_, token) => [token * topK, (token + 1) * topK]);
    return {
      source,
      target: [...to.encode(text).ids],
      logits: rows.map(([first, stop]) => [...known.topLogProbs.subarray(first, stop)]),
      indices: rows.map(([first, stop]) => [...known.topIds.subarray(first, stop)]),
    };
  });
}

function peerInput(from: Tokenizer, to: Tokenizer, map: VocabularyMap, cases: readonly PeerCase[]): object {
  const side = ({ vocabulary: { strings } }: Tokenizer) => ({
    mark: boundaryMarkOf(strings),
    strings: strings.map((string, id) => string ?? `hole ${id}`),
  });
  const respell = tokenSpeller(from.vocabulary, boundaryMarkOf(to.vocabulary.strings));
  const strings = Object.fromEntries(
    from.vocabulary.strings.flatMap((string, id) =>
      string === null ? [] : [[respell(id), to.vocabulary.strings[map.targetOfSource[id]]]],
    ),
  );
  return { source: side(from), target: side(to), map: strings, cases };
}

interface Measured {
  alignSeconds: number;
  transferSeconds: number;
  alignments: unknown;
  outputs: (TransferredScores | null)[][];
}

/** Several times over, so that the least is the code's and not the compiler's. */
function measure(
  strategy: Strategy,
  from: Tokenizer,
  to: Tokenizer,
  map: VocabularyMap,
  cases: readonly PeerCase[],
): Measured {
  const [spellSource, spellTarget] = [tokenSpeller(from.vocabulary, ""), tokenSpeller(to.vocabulary, "")];
  const tokens = cases.map(({ source, target }) => [source.map(spellSource), target.map(spellTarget)] as const);
  const fate = new FateTransfer(map, { source: from.vocabulary, target: to.vocabulary });
  const transferAll = () =>
    cases.map((entry, index) => {
      const align = strategy === "dtw" ? alignByDtw : alignByGreedyDp;
      const { sourcesOfTarget } = align(...tokens[index]);
      return fate.transfer(strategy, entry.source, entry.target, sourcesOfTarget, (token) => ({
        ids: entry.indices[token],
        scores: entry.logits[token],
      }));
    });
  const alignAll = (): unknown =>
    strategy === "dtw"
      ? tokens.map((pair) => alignByDtw(...pair).sourcesOfTarget)
      : tokens.map((pair) => alignByGreedyDp(...pair).spans.map((span) => [span.target, span.source]));
  const [alignSeconds, alignments] = leastSeconds(alignAll, 10);
  const [transferSeconds, outputs] = leastSeconds(transferAll, 5);
  return { alignSeconds, transferSeconds, alignments, outputs };
}

export function leastSeconds<T>(work: () => T, times: number): [seconds: number, result: T] {
  let least = Number.POSITIVE_INFINITY;
  let result: T;
  do {
    const began = performance.now();
    result = work();
    least = Math.min(least, performance.now() - began);
  } while (--times > 0);
  return [least / 1000, result];
}

function isEqual({ alignments, outputs }: Measured, peer: PeerResult): boolean {
  const theirs = peer.outputs.map(([logits, indices]) => [logits, indices]);
  const own = outputs.map((rows) => [rows.map((row) => row?.scores), rows.map((row) => row?.ids)]);
  return (
    JSON.stringify(alignments) === JSON.stringify(peer.alignments) && JSON.stringify(own) === JSON.stringify(theirs)
  );
}
