import { MAPPED, type VocabularyMap } from "@fedmkt/shared/core/knowledge.ts";
import { parseSafetensorsHeader } from "@fedmkt/shared/formats/safetensors.ts";
import { readVocabularyMap } from "@fedmkt/shared/formats/vocabulary-map.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";
import { count } from "../count.ts";
import { doublingBins, formatBins, largest, partOf, spreadOf } from "./figures.ts";
import { formatCount, requireIndex, shortened } from "./inspect-knowledge.ts";
import { type Inspection, type InspectionContext, nameToken } from "./inspection.ts";

export const VOCABULARY_MAP = "vocabulary map";
const KINDS = Object.keys(MAPPED) as (keyof typeof MAPPED)[];

/** A vocabulary map: how many tokens found a counterpart, and how; which went far, and which target takes most. */
export function inspectMap(bytes: Uint8Array, what: string, context: InspectionContext): Inspection {
  const map = readVocabularyMap(bytes, what, {});
  const { sourceTokenizerHash, targetTokenizerHash } = parseSafetensorsHeader(bytes, bytes.length, what).metadata;
  const { pair, tokenText } = context;
  const source = { party: pair?.source ?? "", tokenizerHash: sourceTokenizerHash };
  const target = { party: pair?.target ?? "", tokenizerHash: targetTokenizerHash };
  const names = {
    source: (id: number) => nameToken(tokenText, source, id),
    target: (id: number) => nameToken(tokenText, target, id),
  };
  const { targetOfSource, kind, distance, groupOfTarget, groups } = map;
  const edited = distance.filter((_, id) => kind[id] === MAPPED.edit);
  const groupSizes = countEach(groupOfTarget, groups);
  const takers = countEach(
    targetOfSource.filter((id) => id >= 0),
    groupOfTarget.length,
  );
  const lists =
    context.sample === null
      ? describeMap(map, { takers, groupSizes }, names, context.limit)
      : describeToken(map, names, context, what);
  return {
    kind: VOCABULARY_MAP,
    facts: {
      ...(pair && { from: pair.source, to: pair.target }),
      rule: map.rule,
      "source's tokenizer": shortened(sourceTokenizerHash),
      "target's tokenizer": shortened(targetTokenizerHash),
      size: { value: bytes.length, text: formatBytes(bytes.length) },
      "source vocabulary": targetOfSource.length,
      "target vocabulary": groupOfTarget.length,
      "groups of the target": groups,
      "target tokens in a group": spreadOf(groupSizes, formatCount),
      ...Object.fromEntries(
        KINDS.map((name) => [
          `mapped: ${name}`,
          partOf(kind.filter((value) => value === MAPPED[name]).length, kind.length),
        ]),
      ),
      "edit distance": spreadOf(edited, formatCount),
      "target tokens that a source token maps to": partOf(takers.filter((count) => count > 0).length, takers.length),
    },
    lines: [`edit distances: ${formatBins(doublingBins(edited), edited.length)}`, ...lists.lines],
    details: { editDistances: doublingBins(edited), ...lists.details },
  };
}

interface Names {
  source(id: number): string;
  target(id: number): string;
}
type Described = Required<Pick<Inspection, "lines" | "details">>;

function describeMap(
  { targetOfSource, kind, distance, groupOfTarget }: VocabularyMap,
  { takers, groupSizes }: { takers: Int32Array; groupSizes: Int32Array },
  names: Names,
  limit: number,
): Described {
  const worst = largest(distance, limit);
  const shared = largest(takers, limit).filter((id) => takers[id] > 1);
  const wide = largest(groupSizes, limit).filter((group) => groupSizes[group] > 1);
  const membersOf = (list: ArrayLike<number>, of: number) =>
    Array.from(list, (value, id) => (value === of ? id : -1)).filter((id) => id >= 0);
  const show = (ids: readonly number[], name: (id: number) => string) =>
    `${ids.slice(0, limit).map(name).join(", ")}${ids.length > limit ? ` and ${ids.length - limit} more` : ""}`;
  // spread over the vocabulary: the first ids are control characters in most
  const step = Math.max(1, Math.floor(targetOfSource.length / limit));
  const some = Array.from({ length: Math.min(limit, targetOfSource.length) }, (_, index) => index * step);
  const describe = (id: number) =>
    `${names.source(id)} → ${targetOfSource[id] === -1 ? "nowhere" : names.target(targetOfSource[id])} (${KINDS.find((one) => MAPPED[one] === kind[id])})`;
  const part = <T>(title: string, items: readonly T[], line: (item: T) => string) =>
    items.length === 0 ? [] : [title, ...items.map((item) => `  ${line(item)}`)];
  return {
    lines: [
      ...part(
        "farthest:",
        worst,
        (id) => `${names.source(id)} → ${names.target(targetOfSource[id])} (${count(distance[id], "edit")})`,
      ),
      ...part(
        "target tokens that most source tokens map to:",
        shared,
        (id) => `${names.target(id)} ← ${takers[id]}: ${show(membersOf(targetOfSource, id), names.source)}`,
      ),
      ...part(
        "largest groups:",
        wide,
        (group) => `${groupSizes[group]} target tokens: ${show(membersOf(groupOfTarget, group), names.target)}`,
      ),
      `some tokens: ${some.map(describe).join(", ")}`,
    ],
    details: {
      farthest: worst.map((source) => ({ source, target: targetOfSource[source], distance: distance[source] })),
      mostMappedTo: shared.map((target) => ({ target, sources: takers[target] })),
      largestGroups: wide.map((group) => ({ group, size: groupSizes[group] })),
    },
  };
}

/** One source token alone. */
function describeToken(
  map: VocabularyMap,
  names: Names,
  { sample, limit }: InspectionContext,
  what: string,
): Described {
  const { targetOfSource, kind, distance, groupOfTarget, groupOfSource } = map;
  const source = requireIndex(sample!, targetOfSource.length, `${what}: --sample, a source token's id`);
  const target = targetOfSource[source];
  const group = groupOfSource[source];
  const members = group < 0 ? [] : Array.from(groupOfTarget.keys()).filter((id) => groupOfTarget[id] === group);
  const how = KINDS.find((one) => MAPPED[one] === kind[source])!;
  return {
    lines: [
      `${names.source(source)} → ${target === -1 ? "nowhere" : names.target(target)} (${how}, ${count(distance[source], "edit")})`,
      `its mass goes to ${group < 0 ? "no group" : `group ${group}: ${members.slice(0, limit).map(names.target).join(", ")}${members.length > limit ? ` and ${members.length - limit} more` : ""}`}`,
    ],
    details: { source, target, kind: how, distance: distance[source], group, members: members.slice(0, limit) },
  };
}

function countEach(list: ArrayLike<number>, size: number): Int32Array {
  const counts = new Int32Array(size);
  for (let at = 0; at < list.length; at++) counts[list[at]]++;
  return counts;
}
