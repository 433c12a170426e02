/**
 * Where everything lies. All keys of a run in one place, so that least privilege is a matter of prefixes:
 * a client writes only below `runs/<run>/parties/<client>/`.
 */
export const controlKeys = {
  spec: (run: string) => `runs/${run}/run.yaml`,
  /**
   * taken conditionally by plan-run: two starts of the same run find each other here. The highest number counts; the next one is
   * taken when its execution has ended without success
   */
  claims: (run: string) => `runs/${run}/claims/`,
  claim: (run: string, number: number) => `runs/${run}/claims/${String(number).padStart(5, "0")}.json`,
  plan: (run: string) => `runs/${run}/plan.json`,
  publicSet: (run: string) => `runs/${run}/public.jsonl`,
  evaluationSet: (run: string, name: string) => `runs/${run}/evaluation/${name}.jsonl`,
  /** written by plan-run, then by fail-run or publish-run, whichever ends the run */
  status: (run: string) => `runs/${run}/status.json`,
  /** an operator's wish that the run ends after the round that is under way */
  stop: (run: string) => `runs/${run}/stop.json`,
};

/** Raised when maps are computed otherwise, so that no old one is taken for a new one. */
const MAP_VERSION = "1";

export const artefactKeys = {
  /** outside the runs: a map depends on its rule and the two vocabularies alone, so every run with them finds it done */
  map: (rule: string, sourceVocabularyHash: string, targetVocabularyHash: string) =>
    `vocabulary-maps/${MAP_VERSION}/${rule}/${sourceVocabularyHash}--${targetVocabularyHash}.safetensors`,
  /** the beginning of everything that a run's jobs write */
  run: (run: string) => `runs/${run}/`,
  /** the folder of one job's outputs; its manifest.json commits them */
  job: (run: string, round: number, stage: string, party: string) =>
    `runs/${run}/parties/${party}/round-${round}/${stage}`,
  baseline: (run: string, party: string, baseline: string) => `runs/${run}/parties/${party}/baselines/${baseline}`,
  aligned: (run: string, round: number, source: string, target: string, shard: number) =>
    `runs/${run}/round-${round}/aligned/${source}--${target}/${shardName(shard)}`,
  selection: (run: string, round: number, target: string) => `runs/${run}/round-${round}/selection/${target}.json`,
  averaged: (run: string, round: number) => `runs/${run}/round-${round}/averaged`,
  roundSummary: (run: string, round: number) => `runs/${run}/round-${round}/summary.json`,
  published: (run: string) => `runs/${run}/published`,
  /** how long one attempt at a job took: apart from the job's outputs, which are the same bytes whoever made them */
  usageOf: (run: string) => `runs/${run}/usage/`,
  usage: (run: string, party: string, attempt: string) => `runs/${run}/usage/${party}/${attempt}.json`,
};

/** In the registry's bucket: which adapters there are, newest run last by name of run. */
export const registryKeys = {
  /** the beginning of all entries, or of one party's */
  entries: (party?: string) => (party === undefined ? "adapters/" : `adapters/${party}/`),
  entry: (party: string, run: string) => `adapters/${party}/${run}.json`,
};

/** An adapter's registry entry in its folder, where a run was downloaded: written after the files that it lists. */
export const REGISTRY_ENTRY = "registry-entry.json";

/** Beside a job's outputs while it is under way: the state of training, for whoever takes the job up. */
export const CHECKPOINT = "checkpoint.safetensors";

/**
 * Where a job's output lies. Its name carries the beginning of its SHA-256, so that two attempts at one job that did not write
 * the same bytes never overwrite each other: the manifest says which are meant.
 * @example outputKey("a/b", "knowledge/shard-00000.safetensors", "0f3c…") // "a/b/knowledge/shard-00000.0f3c….safetensors"
 */
export function outputKey(folder: string, name: string, sha256: string): string {
  const dot = name.lastIndexOf(".");
  return `${folder}/${name.slice(0, dot)}.${sha256.slice(0, 16)}${name.slice(dot)}`;
}

export const MANIFEST = "manifest.json";

/** `shard-00003`: the fourth slice of the public set, the same samples for every party. */
export function shardName(shard: number): string {
  return `shard-${String(shard).padStart(5, "0")}`;
}
