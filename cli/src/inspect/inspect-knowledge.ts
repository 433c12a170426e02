import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { Knowledge } from "@fedmkt/shared/core/knowledge.ts";
import { bitsPerByte } from "@fedmkt/shared/core/numeric/bits-per-byte.ts";
import { readKnowledgeShard, type ShardHeader } from "@fedmkt/shared/formats/knowledge-shard.ts";
import { formatBytes, formatShare, formatValue } from "@fedmkt/shared/report/table.ts";
import { doublingBins, figure, formatBins, largest, partOf, spreadOf } from "./figures.ts";
import { type Inspection, type InspectionContext, nameToken, type TokenOwner } from "./inspection.ts";
import { type KnowledgeStatistics, measureKnowledge, rankOfNext } from "./knowledge-statistics.ts";

const SHOWN_TOKENS = 24;
const SHOWN_ENTRIES = 5;
const HASH_CHARACTERS = 12;

/** A knowledge shard, checked in full: what a model knows about a slice of the public set. */
export function inspectKnowledge(bytes: Uint8Array, what: string, context: InspectionContext): Inspection {
  const { header, encoding, knowledge } = readKnowledgeShard(bytes, what, {});
  const { lossNats, answerBytes, answerPositions, tokenIds, positions, topIds, tailMass } = knowledge;
  const statistics = measureKnowledge(knowledge, header.vocabularySize);
  const answers = statistics.answerRanks.length;
  const kept = statistics.answerRanks.filter((rank) => rank > 0);
  const answer = answerBytes.reduce((sum, count) => sum + count, 0);
  const nats = lossNats.reduce((sum, loss) => sum + loss, 0);
  const bits = Array.from(lossNats, (loss, sample) => bitsPerByte(loss, answerBytes[sample]));
  const { run, round, party, shard, modelHash, tokenizerHash, datasetHash } = header;
  const bins = doublingBins(kept);
  const rest = describe(header, knowledge, statistics, context, what);
  return {
    kind: "knowledge shard",
    facts: {
      run,
      round,
      party,
      shard,
      model: shortened(modelHash),
      tokenizer: shortened(tokenizerHash),
      "public set": shortened(datasetHash),
      "vocabulary size": header.vocabularySize,
      "K (most entries kept a position)": header.topK,
      "p (mass at which they end)": header.topP,
      ...(header.topPerplexity !== undefined && {
        "most entries by perplexity": `${header.topPerplexity} · exp(entropy)`,
      }),
      encoding,
      size: { value: bytes.length, text: formatBytes(bytes.length) },
      "bytes a position":
        positions.length === 0 ? "none" : figure(bytes.length / positions.length, (value) => value.toFixed(1)),
      samples: answerPositions.length,
      tokens: tokenIds.length,
      "answer positions": answers,
      ...(positions.length > answers && { "prompt's positions": positions.length - answers }),
      "answer bytes": answer,
      entries: topIds.length,
      "entries a position": spreadOf(statistics.entries, formatCount),
      "mass kept": spreadOf(
        tailMass.map((tail) => 1 - tail),
        formatShare,
      ),
      "tail (mass cut off)": spreadOf(tailMass, formatShare),
      "entropy, bits (tail as one token)": spreadOf(statistics.entropyBits, formatValue),
      "answer tokens kept": partOf(kept.length, answers),
      "answer tokens likeliest": partOf(kept.filter((rank) => rank === 1).length, answers),
      "bits/byte": answer === 0 ? "none" : figure(bitsPerByte(nats, answer), formatValue),
      "bits/byte by sample": spreadOf(bits, formatValue),
    },
    lines: [
      `ranks of the answer tokens that are kept: ${formatBins(bins, answers)}`,
      `answer tokens cut off: ${partOf(answers - kept.length, answers).text}`,
      ...rest.lines,
    ],
    details: { answerRanks: bins, ...rest.details },
  };
}

type Described = Required<Pick<Inspection, "lines" | "details">>;

function describe(
  header: ShardHeader,
  knowledge: Knowledge,
  statistics: KnowledgeStatistics,
  context: InspectionContext,
  what: string,
): Described {
  if (context.sample !== null) return describeSample(header, knowledge, context, what);
  const { positions, tokenIds, tokenOffsets, entryOffsets, topIds, topLogProbs } = knowledge;
  const { positionsOfToken, massOfToken } = statistics;
  const name = (id: number) => nameToken(context.tokenText, header, id);
  const frequent = largest(massOfToken, context.limit);
  const shown = positions.length === 0 ? 0 : Math.min(entryOffsets[1], SHOWN_ENTRIES);
  const first = Array.from(topIds.subarray(0, shown), (id, entry) => formatEntry(name(id), topLogProbs[entry]));
  const tokens = Array.from(tokenIds.subarray(0, Math.min(SHOWN_TOKENS, tokenOffsets[1] ?? 0)), name);
  return {
    lines: [
      "tokens with most mass, and at how many positions they are kept:",
      ...frequent.map(
        (id) =>
          `  ${name(id)}: ${formatShare(massOfToken[id] / positions.length)}, ${partOf(positionsOfToken[id], positions.length).text}`,
      ),
      `first sample's tokens: ${tokens.join(" ")}`,
      `first position's likeliest: ${first.join(", ") || "none"}`,
    ],
    details: {
      tokensWithMostMass: frequent.map((id) => ({
        id,
        text: context.tokenText(header, id),
        meanMass: massOfToken[id] / positions.length,
        positions: positionsOfToken[id],
      })),
    },
  };
}

/** One sample, position by position: the token that came, where the model had it, and what it held likeliest. */
function describeSample(
  header: ShardHeader,
  knowledge: Knowledge,
  { tokenText, limit, sample, position }: InspectionContext,
  what: string,
): Described {
  const { lossNats, answerBytes, tokenIds, tokenOffsets, positions, positionOffsets, answerPositions } = knowledge;
  const index = requireIndex(sample!, lossNats.length, `${what}: --sample`);
  const [first, end] = [positionOffsets[index], positionOffsets[index + 1]];
  const places = Array.from(positions.subarray(first, end), (_, place) => first + place).filter(
    (at) => position === null || positions[at] === position,
  );
  if (places.length === 0)
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `${what}: --position: expected one of sample ${index}'s, from ${positions[first]} to ${positions[end - 1]}, got ${position}`,
    );
  const shownEntries = position === null ? Math.min(limit, SHOWN_ENTRIES) : limit;
  const shown = places.slice(0, limit).map((at) => {
    const token = tokenIds[tokenOffsets[index] + positions[at]];
    const next = tokenIds[tokenOffsets[index] + positions[at] + 1];
    return {
      position: positions[at],
      ofAnswer: at >= end - answerPositions[index],
      token: { id: token, text: tokenText(header, token) },
      next: { id: next, text: tokenText(header, next), rank: rankOfNext(knowledge, index, at) || null },
      entries: entriesAt(header, knowledge, at, tokenText, shownEntries),
      tail: knowledge.tailMass[at],
    };
  });
  const name = (id: number) => nameToken(tokenText, header, id);
  const tokens = tokenIds.subarray(tokenOffsets[index], tokenOffsets[index + 1]);
  const bits = bitsPerByte(lossNats[index], answerBytes[index]);
  const more = places.length - shown.length;
  return {
    lines: [
      `sample ${index}: ${tokens.length} tokens, ${end - first} positions, ${answerBytes[index]} answer bytes, ${formatValue(bits)} bits/byte`,
      ...shown.map(
        ({ position: at, token, next, entries, tail }) =>
          `  ${at}: ${name(token.id)} → ${name(next.id)} (${next.rank === null ? "cut off" : `rank ${next.rank}`}) | ${entries
            .map(({ id, logProbability }) => formatEntry(name(id), logProbability))
            .join(", ")} | tail ${formatShare(tail)}`,
      ),
      ...(more > 0 ? [`  and ${more} more: --limit ${places.length} shows them all`] : []),
    ],
    details: { sample: index, lossNats: lossNats[index], bitsPerByte: bits, positions: shown },
  };
}

function entriesAt(
  owner: TokenOwner,
  { entryOffsets, topIds, topLogProbs }: Knowledge,
  at: number,
  tokenText: InspectionContext["tokenText"],
  limit: number,
) {
  const begin = entryOffsets[at];
  return Array.from(topIds.subarray(begin, Math.min(entryOffsets[at + 1], begin + limit)), (id, entry) => ({
    id,
    text: tokenText(owner, id),
    logProbability: topLogProbs[begin + entry],
  }));
}

/** @throws InvalidInputError `BAD_ARGUMENT` */
export function requireIndex(index: number, count: number, what: string): number {
  if (index < count) return index;
  throw new InvalidInputError("BAD_ARGUMENT", `${what}: expected one from 0 to ${count - 1}, got ${index}`);
}

export function shortened(hash: string): string {
  return hash.slice(0, HASH_CHARACTERS);
}

export function formatCount(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

function formatEntry(name: string, logProbability: number): string {
  return `${name} (${formatShare(Math.exp(logProbability))})`;
}
