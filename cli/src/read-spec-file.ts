import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type ExaminedSpec, examineRunSpec } from "@fedmkt/shared/contracts/read-run-spec.ts";
import { type RunSpec, runSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { InvalidSpecError } from "@fedmkt/shared/contracts/spec-mistake.ts";
import { MAX_SPEC_BYTES, writeYaml } from "@fedmkt/shared/contracts/yaml-text.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { sha256 } from "@fedmkt/shared/formats/sha256.ts";
import type { Io } from "./io.ts";
import { type JudgeLocation, type LocationMistake, resolveLocations } from "./spec-locations.ts";

/** A spec that is right and whose files are there. */
export interface SpecFile {
  spec: RunSpec;
  /** the run.yaml that is uploaded: defaults filled in, locations absolute; the same text for the same meaning */
  yaml: Uint8Array;
  /** SHA-256 of `yaml` */
  hash: string;
  /** where the file has a place of the spec */
  placeOf: ExaminedSpec["placeOf"];
}

/** Where the run is to be, as far as its spec depends on it. */
export interface SpecPlace {
  /** false where a run on this machine is meant */
  mayReadS3: boolean;
  judge?: JudgeLocation;
  /** what else is wrong with the spec there; takes any value, checked or not */
  findMistakes?: (value: unknown) => LocationMistake[];
}

/**
 * @throws InvalidInputError with every mistake of the spec and every file that is missing
 */
export function readSpecFile(
  path: string,
  io: Pick<Io, "cwd" | "env">,
  { mayReadS3, judge, findMistakes = () => [] }: SpecPlace,
): SpecFile {
  const file = resolve(io.cwd, path);
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile()) throw new InvalidInputError("SPEC_MISSING", `${path}: expected a spec, there is no such file`);
  if (stats.size > MAX_SPEC_BYTES)
    throw new InvalidInputError("SPEC_INVALID", `${path}: expected at most ${MAX_SPEC_BYTES} bytes, got ${stats.size}`);
  const examined = examineRunSpec(readFileSync(file, "utf8"));
  if (isMappingWith(examined.value, ["base", "seeds"]))
    throw new InvalidInputError(
      "SPEC_INVALID",
      `${path}: expected a run's spec, got an experiment's file; fedmkt experiment runs it, and with --list says what is wrong in it`,
    );
  const { placeOf } = examined;
  const surroundings = { specFolder: dirname(file), cwd: io.cwd, env: io.env, mayReadS3, judge };
  const resolved = resolveLocations(examined.value, surroundings);
  const mistakes = [
    ...examined.mistakes,
    ...[...findMistakes(examined.value), ...resolved.mistakes].map((mistake) => ({
      ...placeOf(mistake.path),
      message: mistake.message,
    })),
  ].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  if (mistakes.length > 0) throw new InvalidSpecError(path, mistakes);
  return { ...writeSpec(runSpec.parse(resolved.value)), placeOf };
}

/** Whether a parsed text looks like a file of another kind: whoever took the one for the other needs no list of unknown keys. */
export function isMappingWith(value: unknown, keys: readonly string[]): boolean {
  return typeof value === "object" && value !== null && keys.every((key) => Object.hasOwn(value, key));
}

/** A checked spec as the run.yaml that is uploaded. */
export function writeSpec(spec: RunSpec): Pick<SpecFile, "spec" | "yaml" | "hash"> {
  const { $schema: _, ...meaning } = spec;
  const yaml = new TextEncoder().encode(writeYaml(meaning));
  return { spec, yaml, hash: sha256(yaml) };
}
