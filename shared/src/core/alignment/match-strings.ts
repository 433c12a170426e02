import { invariant } from "../errors.ts";
import { MAPPED } from "../knowledge.ts";
import { boundaryMarkOf } from "./boundary-mark.ts";
import { tableOfStrings } from "./character-table.ts";
import type { TokenMap, Unmatched } from "./token-map.ts";
import type { TokenVocabulary } from "./token-roles.ts";

/**
 * Maps tokens by their strings as FATE-LLM compares them, as far as no edit distance is needed: the source's boundary mark is
 * replaced by the target's wherever it stands, then the token of the equal string is taken. Special tokens and byte tokens are
 * strings like any other; a hole in the ids maps nowhere.
 *
 * @param map - what is found is written into it
 * @param only - the source ids to map
 * @see FATE-LLM, `get_vocab_mappings`
 */
export function matchStrings(
  source: TokenVocabulary,
  target: TokenVocabulary,
  map: TokenMap,
  only: ReadonlySet<number> | undefined,
): Unmatched {
  const from = stringsOf(source, "source");
  const to = stringsOf(target, "target");
  const sourceMark = boundaryMarkOf(from);
  const targetMark = boundaryMarkOf(to);
  const idOf = new Map<string, number>();
  to.forEach((string, id) => {
    if (string !== null && !idOf.has(string)) idOf.set(string, id);
  });
  const sourceIds: number[] = [];
  const missing: string[] = [];
  from.forEach((string, id) => {
    if (string === null || only?.has(id) === false) return;
    const rewritten = sourceMark === "" ? string : string.replaceAll(sourceMark, targetMark);
    const equal = idOf.get(rewritten);
    if (equal === undefined) {
      sourceIds.push(id);
      missing.push(rewritten);
      return;
    }
    map.targetOfSource[id] = equal;
    map.kind[id] = MAPPED.equal;
  });
  return {
    sourceIds,
    sources: tableOfStrings(missing),
    targetIds: [...idOf.values()],
    targets: tableOfStrings([...idOf.keys()]),
  };
}

function stringsOf({ strings }: TokenVocabulary, which: string): readonly (string | null)[] {
  invariant(strings !== undefined, "STRINGS_MISSING", `reference map: expected the ${which}'s strings, got none`);
  return strings;
}
