import { MAPPED } from "@fedmkt/shared/core/knowledge.ts";
import { readVocabularyMap } from "@fedmkt/shared/formats/vocabulary-map.ts";
import { formatShare } from "@fedmkt/shared/report/table.ts";
import { formatSpread, type Inspection, type InspectionContext, plainId } from "./inspection.ts";

const SHOWN_PAIRS = 12;

/** A vocabulary map: how many tokens found a counterpart, and how. */
export function inspectMap(
  bytes: Uint8Array,
  what: string,
  { nameToken, pair }: InspectionContext = { nameToken: plainId },
): Inspection {
  const name = (party: "source" | "target", id: number) => (pair ? nameToken(pair[party], id) : String(id));
  const map = readVocabularyMap(bytes, what, {});
  const { targetOfSource, kind, distance, groupOfTarget, groups } = map;
  const names = Object.keys(MAPPED) as (keyof typeof MAPPED)[];
  const counts = Object.fromEntries(
    names.map((name) => {
      const count = kind.reduce((sum, value) => sum + (value === MAPPED[name] ? 1 : 0), 0);
      return [`mapped: ${name}`, `${count} (${kind.length === 0 ? "none" : formatShare(count / kind.length)})`];
    }),
  );
  const edited = Array.from(distance).filter((_, source) => kind[source] === MAPPED.edit);
  // spread over the vocabulary: the first ids are control characters in most
  const step = Math.max(1, Math.floor(targetOfSource.length / SHOWN_PAIRS));
  const shown = Array.from({ length: Math.min(SHOWN_PAIRS, targetOfSource.length) }, (_, index) => {
    const source = index * step;
    const target = targetOfSource[source];
    const how = names.find((one) => MAPPED[one] === kind[source]);
    return `${name("source", source)} → ${target === -1 ? "nowhere" : name("target", target)} (${how})`;
  });
  return {
    kind: "vocabulary map",
    facts: {
      ...(pair && { from: pair.source, to: pair.target }),
      rule: map.rule,
      "source vocabulary": targetOfSource.length,
      "target vocabulary": groupOfTarget.length,
      "groups of the target": groups,
      ...counts,
      "edit distance": formatSpread(edited, (edits) => edits.toFixed(1)),
    },
    lines: [`some tokens: ${shown.join(", ")}`],
  };
}
