import { closestName } from "./closest-name.ts";
import { findExperimentContradictions } from "./experiment-contradictions.ts";
import { type ExperimentFile, experimentFile } from "./experiment-file.ts";
import { keysAt } from "./schema-keys.ts";
import { describeIssues } from "./spec-issues.ts";
import { type SpecMistake, writePath } from "./spec-mistake.ts";
import { parseYaml } from "./yaml-text.ts";

/** An experiment's text looked at, right or wrong. */
export interface ExaminedExperiment {
  /** null where there are mistakes */
  file: ExperimentFile | null;
  mistakes: SpecMistake[];
  /** what the text says; undefined where it is no YAML */
  value: unknown;
  /** on which line the text has a place of `value` */
  lineOf(path: readonly PropertyKey[]): number | null;
}

/** Looks at an experiment's file alone; its specs are looked at cell by cell. */
export function examineExperimentFile(text: string): ExaminedExperiment {
  const yaml = parseYaml(text, "an experiment");
  if (Array.isArray(yaml)) return { file: null, mistakes: yaml, value: undefined, lineOf: () => null };
  const parsed = experimentFile.safeParse(yaml.value);
  const issues = parsed.success ? [] : describeIssues(parsed.error.issues, yaml.value);
  // zod looks for contradictions only where the rest is right; a person wants to hear of them at once
  issues.push(...findExperimentContradictions(yaml.value));
  const mistakes = new Map<string, SpecMistake>();
  for (const { path, message, unknownKey } of issues) {
    const written = writePath(path);
    const words = unknownKey === undefined ? message : describeUnknownKey(path, unknownKey);
    mistakes.set(`${written}\n${words}`, { path: written, line: yaml.lineOf(path), message: words });
  }
  return {
    file: parsed.success && mistakes.size === 0 ? parsed.data : null,
    mistakes: [...mistakes.values()].sort((a, b) => (a.line ?? 0) - (b.line ?? 0)),
    value: yaml.value,
    lineOf: yaml.lineOf,
  };
}

function describeUnknownKey(path: readonly PropertyKey[], key: string): string {
  const siblings = keysAt(experimentFile, path.slice(0, -1));
  const close = closestName(key, siblings);
  return `unknown key; ${close === null ? `expected one of ${siblings.join(", ")}` : `did you mean ${close}?`}`;
}
