import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { readRunSpec } from "@fedmkt/shared/contracts/read-run-spec.ts";
import type { RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { InvalidSpecError } from "@fedmkt/shared/contracts/spec-mistake.ts";
import { MAX_SPEC_BYTES, writeYaml } from "@fedmkt/shared/contracts/yaml-text.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { sha256 } from "@fedmkt/shared/formats/sha256.ts";
import type { Io } from "./io.ts";
import { resolveLocations } from "./spec-locations.ts";

/** A spec that is right and whose files are there. */
export interface SpecFile {
  spec: RunSpec;
  /** the run.yaml that is uploaded: defaults filled in, locations absolute; the same text for the same meaning */
  yaml: Uint8Array;
  /** SHA-256 of `yaml` */
  hash: string;
}

/** @throws InvalidInputError with every mistake of the spec, or every file that is missing */
export function readSpecFile(path: string, io: Pick<Io, "cwd" | "env">): SpecFile {
  const file = resolve(io.cwd, path);
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile()) throw new InvalidInputError("SPEC_MISSING", `${path}: expected a spec, there is no such file`);
  if (stats.size > MAX_SPEC_BYTES)
    throw new InvalidInputError("SPEC_INVALID", `${path}: expected at most ${MAX_SPEC_BYTES} bytes, got ${stats.size}`);
  const { spec, mistakes } = resolveLocations(readRunSpec(readFileSync(file, "utf8"), path), dirname(file), io.env);
  if (mistakes.length > 0) throw new InvalidSpecError(path, mistakes);
  const { $schema: _, ...meaning } = spec;
  const yaml = new TextEncoder().encode(writeYaml(meaning));
  return { spec, yaml, hash: sha256(yaml) };
}
