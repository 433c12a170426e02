import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseJson } from "@fedmkt/shared/contracts/json-document.ts";
import { artefactKeys, controlKeys, MANIFEST, outputKey } from "@fedmkt/shared/contracts/keys.ts";
import { manifest } from "@fedmkt/shared/contracts/manifest.ts";
import { type Plan, plan } from "@fedmkt/shared/contracts/plan.ts";
import { variantRun } from "@fedmkt/shared/contracts/variants.ts";
import { type StoredObjects, storedObjects } from "../local/stored-objects.ts";
import { RUN_FILES } from "../run-folder.ts";

/** Something of a run that inspect can open. */
export interface RunItem {
  /** such as `ward/round-1/client-train/knowledge/shard-00000` */
  name: string;
  /** a file, or an adapter's folder */
  place: string;
  kind: string;
  /** of a vocabulary map */
  pair?: { source: string; target: string };
}

/** A run's folder as inspect sees it. */
export interface RunContents {
  /** null where planning has not ended */
  plan: Plan | null;
  /** in the order of the run */
  items: RunItem[];
}

/** What of a job's outputs inspect knows. */
const OUTPUT_KINDS: readonly [RegExp, string][] = [
  [/^knowledge\//, "knowledge shard"],
  [/^aligned\.safetensors$/, "aligned shard"],
  [/^adapter\.safetensors$/, "adapter's weights"],
];

/**
 * Everything in a run's folder that can be inspected: only what finished jobs have committed. What is of a variant alone bears its id
 * before its name.
 */
export function readRunContents(folder: string, run: string): RunContents {
  const objects = storedObjects(folder);
  const published: RunItem[] = [];
  if (existsSync(join(folder, RUN_FILES.summary)))
    published.push({ name: "summary", place: join(folder, RUN_FILES.summary), kind: "run summary" });
  const adapters = join(folder, "adapters");
  if (existsSync(adapters))
    for (const party of readdirSync(adapters).sort())
      published.push({ name: `adapters/${party}`, place: join(adapters, party), kind: "LoRA adapter (PEFT)" });
  const planKey = controlKeys.plan(run);
  const control = objects.buckets().find((bucket) => objects.has(bucket, planKey));
  if (control === undefined) return { plan: null, items: published };
  const planned = parseJson(objects.read(control, planKey), planKey, plan);
  const items: RunItem[] = [{ name: "plan", place: objects.fileOf(control, planKey), kind: "plan" }, ...published];
  const artefacts = objects.buckets().filter((bucket) => bucket !== control);
  for (const bucket of artefacts) items.push(...mapsOf(planned, objects, bucket), ...jobsOf(run, objects, bucket));
  for (const variant of planned.machine.variants.map((name) => variantRun(run, name))) {
    const variantKey = controlKeys.plan(variant);
    if (objects.has(control, variantKey))
      items.push({ name: `${variant}/plan`, place: objects.fileOf(control, variantKey), kind: "plan" });
    const named = (item: RunItem) => ({ ...item, name: `${variant}/${item.name}` });
    for (const bucket of artefacts) items.push(...jobsOf(variant, objects, bucket).map(named));
  }
  return { plan: planned, items };
}

function mapsOf({ machine, parties, spec }: Plan, objects: StoredObjects, bucket: string): RunItem[] {
  const vocabulary = (id: string) => parties.find((party) => party.id === id)!.vocabularyHash;
  return machine.maps.flatMap((pair) => {
    const key = artefactKeys.map(spec.distillation.vocabularyMap, vocabulary(pair.source), vocabulary(pair.target));
    if (!objects.has(bucket, key)) return [];
    const name = `maps/${pair.source}--${pair.target}`;
    return [{ name, place: objects.fileOf(bucket, key), kind: "vocabulary map", pair }];
  });
}

function jobsOf(run: string, objects: StoredObjects, bucket: string): RunItem[] {
  const top = `runs/${run}/`;
  return objects.list(bucket, top).flatMap((key): RunItem[] => {
    const name = key
      .slice(top.length)
      .replace(/^parties\//, "")
      .replace(/\.json$/, "");
    const item = { name, place: objects.fileOf(bucket, key) };
    if (/\/selection\/[^/]+\.json$/.test(key)) return [{ ...item, kind: "selection" }];
    if (/\/round-\d+\/summary\.json$/.test(key)) return [{ ...item, kind: "round summary" }];
    if (!key.endsWith(`/${MANIFEST}`)) return [];
    const folder = key.slice(0, -MANIFEST.length - 1);
    const short = name.slice(0, name.lastIndexOf("/"));
    const outputs = parseJson(objects.read(bucket, key), key, manifest).outputs.flatMap((output) => {
      const kind = OUTPUT_KINDS.find(([pattern]) => pattern.test(output.name))?.[1];
      if (kind === undefined) return [];
      const stem = output.name.replace(/\.[^.]+$/, "");
      // an aligned shard is the one thing that its job is there for
      const shown = stem === "aligned" ? short : `${short}/${stem}`;
      return [{ name: shown, place: objects.fileOf(bucket, outputKey(folder, output.name, output.sha256)), kind }];
    });
    return [...outputs, { ...item, kind: "manifest" }];
  });
}
