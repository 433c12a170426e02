import { ADVICE, ALIASES } from "./aliases.ts";
import { type AppliedAliases, applyAliases } from "./apply-aliases.ts";
import { closestName } from "./closest-name.ts";
import { findContradictions } from "./contradictions.ts";
import { type RunSpec, runSpec } from "./run-spec.ts";
import { keysAt } from "./schema-keys.ts";
import { describeIssues, type SpecIssue } from "./spec-issues.ts";
import { InvalidSpecError, type SpecMistake, writePath } from "./spec-mistake.ts";
import { parseYaml, type YamlText } from "./yaml-text.ts";

/**
 * A run.yaml's text as a checked spec, defaults filled in; JSON is YAML too.
 *
 * @param what - the spec as errors name it, such as its file
 * @throws InvalidSpecError (an InvalidInputError `SPEC_INVALID`) with every mistake: path, line, expected and got
 */
export function readRunSpec(text: string, what: string): RunSpec {
  const { spec, mistakes } = examineRunSpec(text);
  if (spec === null) throw new InvalidSpecError(what, mistakes);
  return spec;
}

/** A spec's text looked at, right or wrong, for whoever has more to say of it than its schema. */
export interface ExaminedSpec {
  /** null where there are mistakes */
  spec: RunSpec | null;
  mistakes: SpecMistake[];
  /** what the text says, under the spec's own names; undefined where it is no YAML */
  value: unknown;
  /** where the text has a place of `value`: its path as written there, and its line */
  placeOf(path: readonly PropertyKey[]): { path: string; line: number | null };
}

export function examineRunSpec(text: string): ExaminedSpec {
  const yaml = parseYaml(text);
  if (Array.isArray(yaml))
    return { spec: null, mistakes: yaml, value: undefined, placeOf: (path) => ({ path: writePath(path), line: null }) };
  const applied = applyAliases(yaml.value);
  const { spec, issues } = examineSpecValue(applied.value);
  const all = [...applied.issues, ...issues];
  return {
    spec: all.length === 0 ? spec : null,
    mistakes: placeMistakes(all, applied, yaml),
    value: applied.value,
    placeOf: (path) => {
      const written = applied.writtenAs(path);
      return { path: writePath(written), line: yaml.lineOf(written) };
    },
  };
}

/**
 * A spec that is no text of its own looked at.
 * @param value - under the spec's own names
 * @returns the spec, null where there are issues
 */
export function examineSpecValue(value: unknown): { spec: RunSpec | null; issues: SpecIssue[] } {
  const parsed = runSpec.safeParse(value);
  const issues = parsed.success ? [] : describeIssues(parsed.error.issues, value);
  // zod looks for contradictions only where the rest is right; a person wants to hear of them at once
  issues.push(...findContradictions(value));
  const described = issues.map((issue) =>
    issue.unknownKey === undefined ? issue : { ...issue, message: describeUnknownKey(issue.path, issue.unknownKey) },
  );
  return { spec: parsed.success && issues.length === 0 ? parsed.data : null, issues: described };
}

function placeMistakes(issues: readonly SpecIssue[], applied: AppliedAliases, yaml: YamlText): SpecMistake[] {
  const mistakes = new Map<string, SpecMistake>();
  for (const issue of issues) {
    const written = applied.writtenAs(issue.path);
    const path = writePath(written);
    mistakes.set(`${path}\n${issue.message}`, { path, line: yaml.lineOf(written), message: issue.message });
  }
  return [...mistakes.values()].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

function describeUnknownKey(path: readonly PropertyKey[], key: string): string {
  if (Object.hasOwn(ADVICE, key)) return `unknown key; ${ADVICE[key]}`;
  const siblings = keysAt(runSpec, path.slice(0, -1));
  const elsewhere = ALIASES.find((alias) => alias.name === key);
  const close = closestName(key, siblings);
  if (close !== null) return `unknown key; did you mean ${close}?`;
  if (elsewhere !== undefined) return `unknown key here; it is ${elsewhere.means.replaceAll(".*", "[]")}`;
  return `unknown key; expected ${siblings.length === 0 ? "no keys" : `one of ${siblings.join(", ")}`}`;
}
