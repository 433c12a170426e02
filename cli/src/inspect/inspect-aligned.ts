import type { AlignedKnowledge } from "@fedmkt/shared/core/knowledge.ts";
import { type AlignedHeader, readAlignedShard } from "@fedmkt/shared/formats/aligned-shard.ts";
import { formatBytes, formatShare } from "@fedmkt/shared/report/table.ts";
import { count } from "../count.ts";
import { figure, largest, partOf, shareOf, spreadOf } from "./figures.ts";
import { formatCount, requireIndex, shortened } from "./inspect-knowledge.ts";
import { type Inspection, type InspectionContext, nameToken } from "./inspection.ts";

const SHOWN_ENTRIES = 5;

/** An aligned shard: one party's knowledge in another's tokens. */
export function inspectAligned(bytes: Uint8Array, what: string, context: InspectionContext): Inspection {
  const { header, aligned } = readAlignedShard(bytes, what, {});
  const { positions, entryOffsets, entries, tail, statistics } = aligned;
  const { targetPositions, alignedPositions, keptMass, exactMass, unmappedMass } = statistics;
  const rest =
    context.sample === null ? describeShard(header, aligned, context) : describeSample(header, aligned, context, what);
  return {
    kind: "aligned shard",
    facts: {
      run: header.run,
      round: header.round,
      from: header.source,
      to: header.target,
      shard: header.shard,
      "source's tokenizer": shortened(header.sourceTokenizerHash),
      "target's tokenizer": shortened(header.targetTokenizerHash),
      "public set": shortened(header.datasetHash),
      "entries are": header.learn === "group" ? "groups of target tokens" : "target tokens",
      size: { value: bytes.length, text: formatBytes(bytes.length) },
      "bytes a position":
        positions.length === 0 ? "none" : figure(bytes.length / positions.length, (value) => value.toFixed(1)),
      samples: aligned.positionOffsets.length - 1,
      "target's positions": targetPositions,
      "of them aligned": partOf(alignedPositions, targetPositions),
      "of them taught": partOf(positions.length, targetPositions),
      entries: entries.length,
      "entries a position": spreadOf(
        positions.map((_, at) => entryOffsets[at + 1] - entryOffsets[at]),
        formatCount,
      ),
      "mass kept": shareOf(keptMass, alignedPositions),
      "mass on equal tokens": shareOf(exactMass, alignedPositions),
      "mass mapped nowhere": shareOf(unmappedMass, alignedPositions),
      "tail by position": spreadOf(tail, formatShare),
    },
    ...rest,
  };
}

type Described = Required<Pick<Inspection, "lines" | "details">>;

function describeShard(header: AlignedHeader, aligned: AlignedKnowledge, context: InspectionContext): Described {
  const { positions, entries, probabilities } = aligned;
  const name = namerOf(header, context);
  const mass = new Map<number, number>();
  entries.forEach((id, entry) => {
    mass.set(id, (mass.get(id) ?? 0) + probabilities[entry]);
  });
  const ids = [...mass.keys()].sort((a, b) => a - b);
  const frequent = largest(
    ids.map((id) => mass.get(id)!),
    context.limit,
  ).map((index) => ids[index]);
  const first =
    positions.length === 0
      ? []
      : likeliestAt(aligned, 0, SHOWN_ENTRIES).map(
          (entry) => `${name(entries[entry])} (${formatShare(probabilities[entry])})`,
        );
  return {
    lines: [
      "entries with most mass:",
      ...frequent.map((id) => `  ${name(id)}: ${formatShare(mass.get(id)! / positions.length)}`),
      `first position's likeliest: ${first.join(", ") || "none"}`,
    ],
    details: {
      entriesWithMostMass: frequent.map((id) => ({
        id,
        text: textOf(header, context, id),
        meanMass: mass.get(id)! / positions.length,
      })),
    },
  };
}

function describeSample(
  header: AlignedHeader,
  aligned: AlignedKnowledge,
  context: InspectionContext,
  what: string,
): Described {
  const { positionOffsets, positions, entries, probabilities, tail } = aligned;
  const sample = requireIndex(context.sample!, positionOffsets.length - 1, `${what}: --sample`);
  const name = namerOf(header, context);
  const places = Array.from(positions.keys())
    .slice(positionOffsets[sample], positionOffsets[sample + 1])
    .filter((at) => context.position === null || positions[at] === context.position);
  const most = context.position === null ? Math.min(context.limit, SHOWN_ENTRIES) : context.limit;
  const shown = places.slice(0, context.limit).map((at) => ({
    position: positions[at],
    entries: likeliestAt(aligned, at, most).map((entry) => ({
      id: entries[entry],
      text: textOf(header, context, entries[entry]),
      probability: probabilities[entry],
    })),
    tail: tail[at],
  }));
  const more = places.length - shown.length;
  return {
    lines: [
      `sample ${sample}: taught at ${count(positionOffsets[sample + 1] - positionOffsets[sample], "position")}`,
      ...(places.length === 0 && context.position !== null ? [`  ${context.position}: nothing is taught`] : []),
      ...shown.map(
        ({ position, entries, tail }) =>
          `  ${position}: ${entries.map(({ id, probability }) => `${name(id)} (${formatShare(probability)})`).join(", ") || "nothing"} | tail ${formatShare(tail)}`,
      ),
      ...(more > 0 ? [`  and ${more} more: --limit ${places.length} shows them all`] : []),
    ],
    details: { sample, positions: shown },
  };
}

/** Which entries of a position are likeliest. */
function likeliestAt({ entryOffsets, probabilities }: AlignedKnowledge, at: number, most: number): number[] {
  return Array.from({ length: entryOffsets[at + 1] - entryOffsets[at] }, (_, index) => entryOffsets[at] + index)
    .sort((a, b) => probabilities[b] - probabilities[a] || a - b)
    .slice(0, most);
}

/** A group has an id of its own, which is no token's. */
function textOf({ learn, target, targetTokenizerHash }: AlignedHeader, { tokenText }: InspectionContext, id: number) {
  return learn === "group" ? null : tokenText({ party: target, tokenizerHash: targetTokenizerHash }, id);
}

function namerOf(header: AlignedHeader, context: InspectionContext) {
  const { target, targetTokenizerHash, learn } = header;
  const owner = { party: target, tokenizerHash: targetTokenizerHash };
  return (id: number) => (learn === "group" ? String(id) : nameToken(context.tokenText, owner, id));
}
