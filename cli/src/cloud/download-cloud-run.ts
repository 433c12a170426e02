import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { parseJson } from "@fedmkt/shared/contracts/json-document.ts";
import { artefactKeys, registryKeys } from "@fedmkt/shared/contracts/keys.ts";
import {
  MAX_ADAPTER_FILE_BYTES,
  MAX_ENTRY_BYTES,
  type RegistryEntry,
  registryEntry,
} from "@fedmkt/shared/contracts/registry-entry.ts";
import type { RunState } from "@fedmkt/shared/contracts/run-state.ts";
import type { RunSummary } from "@fedmkt/shared/contracts/summary.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { sha256 } from "@fedmkt/shared/formats/sha256.ts";
import { downloadRun } from "../download-run.ts";
import { isEmptyFolder, RUN_FILES, readRunState, writeRunFile, writeRunState } from "../run-folder.ts";
import type { Cloud } from "./cloud.ts";
import { type CloudRun, readUploadedSpec } from "./read-run.ts";

/**
 * A finished run as a run on this machine leaves it: adapters, report.html, summary.json, spec.yaml, run.json. Everything is fetched
 * beside the folder, adapters held against the hashes in the registry, and put in place at the end: whole or not at all.
 * @throws InvalidInputError `FOLDER_IN_USE`, `RUN_CHANGED`, `OUTPUT_CHANGED`
 */
export async function downloadCloudRun(
  cloud: Cloud,
  { run, startedMs, stoppedMs }: CloudRun,
  folder: string,
): Promise<{ summary: RunSummary; state: RunState }> {
  const specYaml = (await readUploadedSpec(cloud, run)) ?? new Uint8Array();
  const specHash = sha256(specYaml);
  refuseOtherFolder(folder, specHash);
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  try {
    const summary = await downloadRun(checkedReader(cloud, run), run, unfinished);
    if (summary.specHash !== specHash)
      throw new InvalidInputError(
        "RUN_CHANGED",
        `run ${run}: its summary is of the spec ${summary.specHash}, its run.yaml is ${specHash}; somebody has overwritten one of them`,
      );
    const wallTimeMs = startedMs === null || stoppedMs === null ? null : stoppedMs - startedMs;
    const state: RunState = {
      version: 1,
      run,
      specHash,
      status: "SUCCEEDED",
      process: null,
      error: null,
      cause: null,
      wallTimeMs,
      peakMemoryBytes: null,
    };
    writeRunFile(unfinished, RUN_FILES.spec, specYaml);
    writeRunState(unfinished, state);
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
    return { summary, state };
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** A folder is replaced only where it holds an earlier download of this very run, or nothing. */
export function refuseOtherFolder(folder: string, specHash: string): void {
  const state = existsSync(folder) ? readRunState(folder) : null;
  if (state === null) {
    if (isEmptyFolder(folder)) return;
    throw new InvalidInputError(
      "FOLDER_IN_USE",
      `${folder}: expected a new folder or a run's, got files but no ${RUN_FILES.state}`,
    );
  }
  if (state.specHash !== specHash)
    throw new InvalidInputError(
      "RUN_CHANGED",
      `${folder}: holds a run of another spec: expected ${specHash}, got ${state.specHash}; give another --out`,
    );
}

/** Reads what a run published, holding each adapter's files against the registry. */
function checkedReader(cloud: Cloud, run: string) {
  const registry = cloud.bucket("registry");
  const entries = new Map<string, Promise<RegistryEntry>>();
  const entryOf = (party: string) => {
    const known = entries.get(party) ?? readEntry(cloud, party, run);
    entries.set(party, known);
    return known;
  };
  const prefix = `${artefactKeys.published(run)}/adapters/`;
  return {
    artefacts: cloud.bucket("artefacts"),
    registry,
    readObject: async (bucket: string, key: string): Promise<Uint8Array> => {
      const bytes = await cloud.objects.get(
        bucket,
        key,
        bucket === registry ? MAX_ENTRY_BYTES : MAX_ADAPTER_FILE_BYTES,
      );
      if (bucket === registry || !key.startsWith(prefix)) return bytes;
      const [party, name] = key.slice(prefix.length).split("/");
      const expected = (await entryOf(party)).adapter.files.find((file) => file.name === name)?.sha256;
      const found = sha256(bytes);
      if (found === expected) return bytes;
      throw new InvalidInputError(
        "OUTPUT_CHANGED",
        `${key}: expected SHA-256 ${expected ?? "in the registry, which does not list the file"}, found ${found} (${bytes.length} bytes)`,
      );
    },
  };
}

async function readEntry(cloud: Cloud, party: string, run: string): Promise<RegistryEntry> {
  const key = registryKeys.entry(party, run);
  return parseJson(await cloud.objects.get(cloud.bucket("registry"), key, MAX_ENTRY_BYTES), key, registryEntry);
}
