import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeJson } from "../../shared/src/contracts/json-document.ts";
import { artefactKeys, REGISTRY_ENTRY } from "../../shared/src/contracts/keys.ts";
import { type RegistryEntry, registryEntry } from "../../shared/src/contracts/registry-entry.ts";
import { adapterConfig } from "../../shared/src/formats/peft-adapter.ts";
import { writeSafetensors } from "../../shared/src/formats/safetensors.ts";
import { sha256 } from "../../shared/src/formats/sha256.ts";
import type { BaseIdentity } from "../../shared/src/use-cases/serving/base-identity.ts";

/** The model that a test's endpoint serves. */
export const SERVED_BASE: BaseIdentity = {
  configHash: sha256("config"),
  tokenizerHash: sha256("tokenizer"),
  weightsFingerprint: sha256("weights"),
};

export interface AdapterToPublish {
  party: string;
  run: string;
  /** seconds into 2026; null: an entry that says no time */
  second?: number | null;
  /** bits per byte by held-out set */
  losses?: Record<string, number>;
  /** a value of the weights, so that adapters differ */
  weight?: number;
  base?: Partial<BaseIdentity>;
}

/** An adapter as publish-run publishes it: its files, and its entry. */
export function publishedAdapter({ party, run, second = 0, losses = {}, weight = 1, base = {} }: AdapterToPublish): {
  files: Record<string, Uint8Array>;
  entry: RegistryEntry;
} {
  const layer = "base_model.model.model.layers.0.self_attn.q_proj";
  const half = (shape: number[]) => ({ dtype: "F32" as const, shape, data: new Float32Array(8).fill(weight) });
  const lora = { rank: 2, alpha: 4, dropout: 0, targets: ["q_proj"] };
  const files = {
    "README.md": new TextEncoder().encode(`${party} of ${run}`),
    "adapter_config.json": adapterConfig({ baseModel: "model", lora }),
    "adapter_model.safetensors": writeSafetensors({
      [`${layer}.lora_A.weight`]: half([2, 4]),
      [`${layer}.lora_B.weight`]: half([4, 2]),
    }),
  };
  const entry = registryEntry.parse({
    version: 1,
    party,
    run,
    rounds: 2,
    specHash: sha256(run),
    ...(second !== null && { publishedAt: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString() }),
    base: { name: "model", ...SERVED_BASE, ...base },
    adapter: {
      bucket: "artefacts",
      folder: `${artefactKeys.published(run)}/adapters/${party}`,
      files: Object.entries(files).map(([name, bytes]) => ({ name, bytes: bytes.length, sha256: sha256(bytes) })),
    },
    scores: Object.entries(losses).map(([set, value]) => ({
      ...{ party, set, metric: "bits-per-byte", variant: "fedmkt", round: 2, value },
    })),
  });
  return { files, entry };
}

/** Where an adapter of a run lies in a folder of runs. */
export function adapterPlace(runs: string, { party, run }: Pick<AdapterToPublish, "party" | "run">): string {
  return join(runs, run, "adapters", party);
}

/** Writes an adapter into a folder of runs as a finished run leaves it there. @returns its folder */
export function publishInFolder(runs: string, adapter: AdapterToPublish): string {
  const { files, entry } = publishedAdapter(adapter);
  const folder = adapterPlace(runs, adapter);
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  writeEntry(folder, encodeJson(entry));
  return folder;
}

export function writeEntry(folder: string, bytes: Uint8Array | string): void {
  writeFileSync(join(folder, `${REGISTRY_ENTRY}.part`), bytes);
  renameSync(join(folder, `${REGISTRY_ENTRY}.part`), join(folder, REGISTRY_ENTRY));
}
