import { readVocabularyMapJson } from "@fedmkt/shared/formats/vocabulary-map-json.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";
import { count } from "../count.ts";
import { doublingBins, formatBins, largest, partOf, spreadOf } from "./figures.ts";
import { formatCount, requireIndex } from "./inspect-knowledge.ts";
import { VOCABULARY_MAP } from "./inspect-map.ts";
import { type Inspection, type InspectionContext, nameToken } from "./inspection.ts";

/** A vocabulary map in its JSON form, which tells where each token goes and how far that is, and no more. */
export function inspectPlainMap(bytes: Uint8Array, what: string, context: InspectionContext): Inspection {
  const { rule, source, target, targetOfSource, distance } = readVocabularyMapJson(bytes, what);
  const ownerOf = (name: string) => ({ party: "", tokenizerHash: /[0-9a-f]{64}/.exec(name)?.[0] ?? "" });
  const name = (tokenizer: string, id: number) => nameToken(context.tokenText, ownerOf(tokenizer), id);
  const mapped = targetOfSource.filter((id) => id >= 0).length;
  const edited = distance.filter((edits) => edits > 0);
  const describe = (id: number) =>
    `${name(source, id)} → ${targetOfSource[id] < 0 ? "nowhere" : name(target, targetOfSource[id])} (${count(distance[id], "edit")})`;
  const shown =
    context.sample === null
      ? largest(distance, context.limit)
      : [requireIndex(context.sample, targetOfSource.length, `${what}: --sample, a source token's id`)];
  return {
    kind: VOCABULARY_MAP,
    facts: {
      rule,
      from: source,
      to: target,
      size: { value: bytes.length, text: formatBytes(bytes.length) },
      "source vocabulary": targetOfSource.length,
      mapped: partOf(mapped, targetOfSource.length),
      "edit distance where there is one": spreadOf(edited, formatCount),
    },
    lines: [
      `edit distances: ${formatBins(doublingBins(edited), edited.length)}`,
      ...(context.sample === null && shown.length > 0 ? ["farthest:"] : []),
      ...shown.map((id) => `  ${describe(id)}`),
    ],
    details: {
      editDistances: doublingBins(edited),
      tokens: shown.map((id) => ({ source: id, target: targetOfSource[id], distance: distance[id] })),
    },
  };
}
