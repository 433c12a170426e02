import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, stringify } from "yaml";
import type { SpecMistake } from "./spec-mistake.ts";

/** A spec of 256 clients is some 100 KB; more is not a spec. */
export const MAX_SPEC_BYTES = 1024 * 1024;
/** Anchors save typing; nested ones can blow a page up to gigabytes ("billion laughs"). */
const MAX_ALIAS_COUNT = 1000;
/** After the first few, what a broken text brings up is noise. */
const MAX_PROBLEMS = 20;

/** A YAML text's value, and where in the text its parts stand. */
export interface YamlText {
  value: unknown;
  /** the line on which a member's key (or a list's item) stands; of its nearest parent where it is absent; null for an empty text */
  lineOf(path: readonly PropertyKey[]): number | null;
}

/**
 * Parses YAML 1.2, core schema: no tags of its own, no merge keys, no key twice, one document.
 * @param what - what the text is meant to be, named where it is empty
 * @returns the mistakes instead where the text is not such YAML
 */
export function parseYaml(text: string, what = "a run's spec"): YamlText | SpecMistake[] {
  if (new TextEncoder().encode(text).length > MAX_SPEC_BYTES)
    return [{ path: "", line: null, message: `expected at most ${MAX_SPEC_BYTES} bytes` }];
  const lineCounter = new LineCounter();
  try {
    const document = parseDocument(text, {
      version: "1.2",
      schema: "core",
      merge: false,
      uniqueKeys: true,
      strict: true,
      prettyErrors: false,
      lineCounter,
    });
    const problems = [...document.errors, ...document.warnings];
    // the parser reports a stack that ran out as a mistake of the text, once for every level it had left
    const tooDeep = problems.find(({ message }) => message.includes("call stack"));
    if (tooDeep !== undefined)
      return [{ path: "", line: lineCounter.linePos(tooDeep.pos[0]).line, message: "nested too deeply" }];
    if (problems.length > 0)
      return problems.slice(0, MAX_PROBLEMS).map(({ message, pos }) => ({
        path: "",
        line: lineCounter.linePos(pos[0]).line,
        message: message.startsWith("Map keys must be unique")
          ? `the key ${keyAt(text, pos[0])} is given twice`
          : message,
      }));
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null))
      return [{ path: "", line: null, message: `is empty; expected ${what}` }];
    const resolve = (node: unknown) => (isAlias(node) ? node.resolve(document) : node);
    return {
      value: document.toJS({ maxAliasCount: MAX_ALIAS_COUNT }),
      lineOf: (path) => {
        let node: unknown = document.contents;
        let place = (document.contents as Node | null)?.range?.[0];
        for (const part of path) {
          const parent = resolve(node);
          let child: unknown;
          if (isMap(parent)) {
            const pair = parent.items.find(({ key }) => (isScalar(key) ? String(key.value) : key) === String(part));
            if (pair === undefined) break;
            place = (pair.key as Node).range?.[0] ?? place;
            child = pair.value;
          } else if (isSeq(parent) && typeof part === "number" && part < parent.items.length) {
            child = parent.items[part];
            place = (child as Node).range?.[0] ?? place;
          } else break;
          node = child;
        }
        return place === undefined ? null : lineCounter.linePos(place).line;
      },
    };
  } catch (error) {
    // too many aliases, or nesting that exhausts the stack: the parser's words say which
    return [{ path: "", line: null, message: `expected YAML: ${(error as Error).message}` }];
  }
}

/** A mapping's key as it stands in the text. */
function keyAt(text: string, start: number): string {
  return /^[^:\n]*/.exec(text.slice(start))![0].trim();
}

/** A value as YAML in the order of its keys; equal values give equal texts. */
export function writeYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}
