import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Knowledge } from "../../shared/src/core/knowledge.ts";
import { readKnowledgeShard, type ShardHeader } from "../../shared/src/formats/knowledge-shard.ts";

const CLI = fileURLToPath(new URL("../../cli/bin/fedmkt.mjs", import.meta.url));

export interface RealKnowledge {
  header: ShardHeader;
  knowledge: Knowledge;
}

/** What a model knows about the beginning of a text, as `fedmkt extract` writes it, before any rounding. */
export function extractKnowledge(model: string, text: string, topK: number): RealKnowledge {
  const folder = mkdtempSync(join(tmpdir(), "bench-shard-"));
  try {
    writeFileSync(join(folder, "text.txt"), text);
    const options = ["--data", join(folder, "text.txt"), "--out", join(folder, "out"), "--top-k", String(topK)];
    const limits = ["--samples-per-shard", "65536", "--encoding", "plain", "--threads", "2"];
    execFileSync(process.execPath, ["--no-warnings", CLI, "extract", model, ...options, ...limits], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const path = join(folder, "out", "shard-00000.safetensors");
    return readKnowledgeShard(new Uint8Array(readFileSync(path)), path, {});
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same knowledge with fewer entries at each position; what is cut off goes to the tail. */
export function cutAtRank(knowledge: Knowledge, topK: number): Knowledge {
  const { positions, entryOffsets, topIds, topLogProbs } = knowledge;
  const kept = Int32Array.from({ length: positions.length + 1 }, (_, at) => at * topK);
  const cut: Knowledge = {
    ...knowledge,
    entryOffsets: kept,
    topIds: new Int32Array(positions.length * topK),
    topLogProbs: new Float32Array(positions.length * topK),
    tailMass: new Float32Array(positions.length),
  };
  for (let at = 0; at < positions.length; at++) {
    const begin = entryOffsets[at];
    if (entryOffsets[at + 1] - begin < topK) throw new Error(`expected at least ${topK} entries at every position`);
    cut.topIds.set(topIds.subarray(begin, begin + topK), kept[at]);
    cut.topLogProbs.set(topLogProbs.subarray(begin, begin + topK), kept[at]);
    let mass = 0;
    for (let entry = begin; entry < begin + topK; entry++) mass += Math.exp(topLogProbs[entry]);
    cut.tailMass[at] = Math.min(1, Math.max(0, 1 - mass));
  }
  return cut;
}
