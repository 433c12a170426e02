import { encodeJson } from "../contracts/json-document.ts";
import { MANIFEST, outputKey } from "../contracts/keys.ts";
import { type Manifest, manifest } from "../contracts/manifest.ts";
import { InvalidInputError } from "../core/errors.ts";
import { MAX_ALIGNED_BYTES } from "../formats/aligned-shard.ts";
import { MAX_SHARD_BYTES } from "../formats/knowledge-shard.ts";
import { sha256 } from "../formats/sha256.ts";
import type { RunStores, StageDependencies } from "./dependencies.ts";
import { readJson } from "./read-json.ts";

/** Largest single output of a job: an adapter of rank 256 on a 7 B model is about 3 GiB. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024 * 1024;
/** What a function reads is smaller: so it refuses before it reads. By the output's name. */
const SMALLER_OUTPUTS: readonly [RegExp, number][] = [
  [/^knowledge\//, MAX_SHARD_BYTES],
  [/^aligned\./, MAX_ALIGNED_BYTES],
  [/^losses\./, MAX_SHARD_BYTES],
];

export interface JobIdentity {
  run: string;
  round: number;
  stage: string;
  party: string;
}

/** The manifest of a job that is done, or null. */
export async function finishedJob(deps: RunStores, folder: string): Promise<Manifest | null> {
  const key = `${folder}/${MANIFEST}`;
  if ((await deps.objects.head(deps.buckets.artefacts, key)) === null) return null;
  return readJson(deps.objects, deps.buckets.artefacts, key, manifest);
}

/**
 * Collects a job's outputs below one folder and commits them by a manifest, written last and only where none is. Whoever
 * comes second finds the first one's manifest, and that one counts; outputs are named by their hash, so neither spoils the other's.
 */
export class JobOutputs {
  readonly #deps: StageDependencies;
  readonly #identity: JobIdentity;
  readonly #folder: string;
  readonly #outputs: Manifest["outputs"] = [];

  constructor(deps: StageDependencies, identity: JobIdentity, folder: string) {
    this.#deps = deps;
    this.#identity = identity;
    this.#folder = folder;
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    const hash = sha256(bytes);
    await this.#deps.objects.put(this.#deps.buckets.artefacts, outputKey(this.#folder, name, hash), bytes);
    this.#outputs.push({ name, bytes: bytes.length, sha256: hash });
  }

  async commit(metrics: Record<string, number>, facts: Record<string, string> = {}): Promise<{ manifest: string }> {
    const key = `${this.#folder}/${MANIFEST}`;
    const document: Manifest = { version: 1, ...this.#identity, outputs: this.#outputs, metrics, facts };
    await this.#deps.objects.putIfAbsent(this.#deps.buckets.artefacts, key, encodeJson(manifest.parse(document)));
    return { manifest: key };
  }
}

/**
 * One output of a finished job, checked against its manifest.
 * @throws InvalidInputError `OUTPUT_CHANGED`, `OUTPUT_MISSING`, `JOB_UNFINISHED`, `OBJECT_TOO_LARGE`
 */
export async function readOutput(deps: RunStores, folder: string, name: string): Promise<Uint8Array> {
  const done = await finishedJob(deps, folder);
  if (done === null)
    throw new InvalidInputError("JOB_UNFINISHED", `${folder}: expected a finished job, found no ${MANIFEST}`);
  return readListedOutput(deps, folder, done, name);
}

/** As {@link readOutput}, where the manifest is at hand. */
export async function readListedOutput(
  deps: RunStores,
  folder: string,
  done: Manifest,
  name: string,
): Promise<Uint8Array> {
  const listed = done.outputs.find((output) => output.name === name);
  if (listed === undefined)
    throw new InvalidInputError(
      "OUTPUT_MISSING",
      `${folder}: ${MANIFEST} lists no ${name}; it has ${done.outputs.map((o) => o.name).join(", ")}`,
    );
  const key = outputKey(folder, name, listed.sha256);
  const most = SMALLER_OUTPUTS.find(([pattern]) => pattern.test(name))?.[1] ?? MAX_OUTPUT_BYTES;
  const bytes = await deps.objects.get(deps.buckets.artefacts, key, most);
  const found = sha256(bytes);
  if (found !== listed.sha256)
    throw new InvalidInputError(
      "OUTPUT_CHANGED",
      `${key}: expected SHA-256 ${listed.sha256} as its manifest says, found ${found} (${bytes.length} bytes)`,
    );
  return bytes;
}
