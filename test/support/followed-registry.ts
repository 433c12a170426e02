import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileMaterial } from "../../shared/src/adapters/material/file-material.ts";
import { FolderRegistry } from "../../shared/src/adapters/registry/folder-registry.ts";
import { LocalAdapterFolders } from "../../shared/src/adapters/registry/local-adapter-folders.ts";
import type { Registry } from "../../shared/src/ports/registry.ts";
import {
  type RegistryEvent,
  RegistryFollower,
  type RegistryFollowing,
} from "../../shared/src/use-cases/serving/follow-registry.ts";
import { NameTable } from "../../shared/src/use-cases/serving/name-table.ts";
import { AdapterHolder } from "./adapter-holder.ts";
import { type AdapterToPublish, publishedAdapter, publishInFolder, SERVED_BASE } from "./published-adapter.ts";

const BEGIN_MS = Date.UTC(2026, 5, 1);

/** A registry in a folder of runs, and an endpoint's follower of it, without an endpoint. */
export interface FollowedRegistry {
  runs: string;
  /** where adapters are put */
  kept: string;
  inference: AdapterHolder;
  names: NameTable;
  follower: RegistryFollower;
  /** what was logged, as `level: message party@run CODE` */
  told: string[];
  events: RegistryEvent[];
  /** the registry's own doings, to be replaced: what a real place does when it breaks */
  registry: Registry;
  clock: { nowMs: number };
  publish(adapter: AdapterToPublish): string;
  look(): Promise<void>;
  /** the run that a name's adapter came of; null: there is no such name */
  runOf(name: string): string | null;
  /** refused ones, as `run CODE` */
  refused(): string[];
  stop(): Promise<void>;
}

export async function followRegistry(given: Partial<RegistryFollowing> = {}): Promise<FollowedRegistry> {
  const root = mkdtempSync(join(tmpdir(), "fedmkt-registry-"));
  const runs = mkdtempSync(join(root, "runs-"));
  const kept = join(root, "kept");
  const folders = await LocalAdapterFolders.open(kept);
  const inference = new AdapterHolder();
  const clock = { nowMs: BEGIN_MS };
  const names = new NameTable(inference, await inference.describe(), () => clock.nowMs);
  const told: string[] = [];
  const events: RegistryEvent[] = [];
  const tell = (level: string) => (message: string, facts: Record<string, unknown>) => {
    const { party, run, code } = facts;
    told.push([`${level}: ${message}`, party && `${party}${run ? `@${run}` : ""}`, code].filter(Boolean).join(" "));
  };
  const folder = new FolderRegistry(runs);
  const registry: Registry = {
    list: (party, _signal) => folder.list(party),
    read: (entry) => folder.read(entry),
    fetch: (entry, adapter, place, _signal) => folder.fetch(entry, adapter, place),
  };
  const follower = new RegistryFollower({
    ...{ registry, names, folders, material: new FileMaterial(), base: SERVED_BASE },
    ...{ party: null, tolerance: 0, mostAdapters: 64, everyMs: 2000 },
    nowMs: () => clock.nowMs,
    wait: async () => {},
    log: { info: tell("info"), warn: tell("warn") },
    count: (event) => events.push(event),
    ...given,
  });
  return {
    ...{ runs, kept, inference, names, follower, told, events, registry, clock },
    publish: (adapter) => publishInFolder(runs, adapter),
    look: () => follower.look(),
    runOf: (name) => names.list().find(({ id }) => id === name)?.lineage?.run ?? null,
    refused: () => names.registry().refused.map(({ run, code }) => `${run} ${code}`),
    async stop() {
      await follower.settled();
      await folders.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** The weights' hash of an adapter, by which an answer tells what it was computed with. */
export function weightsOf(adapter: AdapterToPublish): string {
  const { entry } = publishedAdapter(adapter);
  return entry.adapter.files.find(({ name }) => name === "adapter_model.safetensors")!.sha256;
}
