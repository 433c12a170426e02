import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openTokenizer } from "../../shared/src/adapters/tokenizers/open-tokenizer.ts";
import { mapVocabulary } from "../../shared/src/core/alignment/vocabulary-map.ts";
import type { VocabularyMap } from "../../shared/src/core/knowledge.ts";
import type { Vocabulary } from "../../shared/src/ports/tokenizer.ts";
import { peakMemoryMib } from "../engine/peak-memory.ts";

/** What a process of its own is to map: the first tokens of two vocabularies. */
export interface MapRequest {
  /** tokenizer.json of each */
  source: string;
  target: string;
  rule: VocabularyMap["rule"];
  /** tokens of each; beyond its size: all */
  sourceTokens: number;
  targetTokens: number;
}

export interface MapAnswer {
  /** from vocabularies in memory to the finished map, the machine's warming up included */
  seconds: number;
  /** processor time of the thread that maps, in which a busy machine's other work does not show */
  threadSeconds: number;
  peakMemoryMib: number;
  sourceTokens: number;
  targetTokens: number;
  /** SHA-256 of target id and distance of each source token, as little-endian int32 */
  map: string;
}

export const MAP_PROGRAM = fileURLToPath(import.meta.url);

function openVocabulary(file: string, tokens: number): Vocabulary {
  const { vocabulary } = openTokenizer(readFileSync(file), new TextEncoder().encode("{}"), file);
  return {
    ...vocabulary,
    tokens: vocabulary.tokens.slice(0, tokens),
    strings: vocabulary.strings.slice(0, tokens),
    roles: tokens < vocabulary.tokens.length ? { bos: null, eos: null, unknown: null, pad: null } : vocabulary.roles,
  };
}

function answer({ source, target, rule, sourceTokens, targetTokens }: MapRequest): MapAnswer {
  const from = openVocabulary(source, sourceTokens);
  const to = openVocabulary(target, targetTokens);
  const beganMs = performance.now();
  const before = process.threadCpuUsage();
  const { targetOfSource, distance } = mapVocabulary(from, to, rule);
  const seconds = (performance.now() - beganMs) / 1000;
  const { user, system } = process.threadCpuUsage(before);
  const rows = new Int32Array(2 * targetOfSource.length);
  targetOfSource.forEach((id, token) => {
    rows[2 * token] = id;
    rows[2 * token + 1] = distance[token];
  });
  return {
    seconds,
    threadSeconds: (user + system) / 1e6,
    peakMemoryMib: peakMemoryMib(),
    sourceTokens: from.tokens.length,
    targetTokens: to.tokens.length,
    map: createHash("sha256").update(new Uint8Array(rows.buffer)).digest("hex"),
  };
}

if (process.argv[1] === MAP_PROGRAM) console.log(JSON.stringify(answer(JSON.parse(process.argv[2]))));
