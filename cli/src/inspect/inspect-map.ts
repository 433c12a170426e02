import { MAPPED } from "@fedmkt/shared/core/knowledge.ts";
import { readVocabularyMap } from "@fedmkt/shared/formats/vocabulary-map.ts";
import { formatShare } from "@fedmkt/shared/report/table.ts";
import { formatSpread, type Inspection } from "./inspection.ts";

const SHOWN_PAIRS = 12;

/** A vocabulary map: how many tokens found a counterpart, and how. */
export function inspectMap(bytes: Uint8Array, what: string): Inspection {
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
  const shown = Array.from(targetOfSource.subarray(0, SHOWN_PAIRS), (target, source) => {
    const how = names.find((name) => MAPPED[name] === kind[source]);
    return `${source} → ${target === -1 ? "nowhere" : target} (${how})`;
  });
  return {
    kind: "vocabulary map",
    facts: {
      rule: map.rule,
      "source vocabulary": targetOfSource.length,
      "target vocabulary": groupOfTarget.length,
      "groups of the target": groups,
      ...counts,
      "edit distance": formatSpread(edited, (edits) => edits.toFixed(1)),
    },
    lines: [`first tokens: ${shown.join(", ")}`],
  };
}
