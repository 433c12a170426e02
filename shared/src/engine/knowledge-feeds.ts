import type { SampleTarget } from "../ports/engine.ts";
import type { Batch } from "./batch.ts";
import type { KnowledgeKind } from "./loss.ts";
import type { HostTensor } from "./session.ts";

/** What the targets of a whole training run speak of. */
export function knowledgeKind(targets: readonly (SampleTarget | null)[] | undefined): KnowledgeKind {
  let tokens = false;
  let groups = false;
  for (const target of targets ?? [])
    if (target?.positions.length) {
      if (target.partition < 0) tokens = true;
      else groups = true;
    }
  if (tokens && groups) return "mixed";
  return tokens ? "token" : groups ? "group" : "none";
}

/** All partitions as one feed [G, V]. */
export function partitionsFeed(partitions: readonly Int32Array[], vocabularySize: number): HostTensor {
  const data = new Int32Array(partitions.length * vocabularySize);
  partitions.forEach((partition, index) => {
    data.set(partition, index * vocabularySize);
  });
  return { data, shape: [partitions.length, vocabularySize] };
}

/**
 * A micro-batch's knowledge, row by row of its positions; rows without any have weight 0.
 *
 * @param targets - of the batch's samples; their positions are among the batch's
 * @param weight - of each aligned position
 */
export function knowledgeFeeds(
  targets: readonly (SampleTarget | null)[],
  batch: Batch,
  weight: number,
  kind: Exclude<KnowledgeKind, "none">,
): Record<string, HostTensor> {
  const rows = batch.padded;
  const width = targets.reduce((most, target) => Math.max(most, widestPosition(target)), 1);
  const entries = new Int32Array(rows * width).fill(-1);
  const probabilities = new Float32Array(rows * width);
  const tails = new Float32Array(rows);
  const weights = new Float32Array(rows);
  const partitionOfRow = new Int32Array(rows);
  const grouped = new Float32Array(rows);
  let first = 0;
  targets.forEach((target, index) => {
    if (target) {
      const rowOf = new Map(Array.from(batch.rows[index], (position, row) => [position, first + row]));
      target.positions.forEach((position, aligned) => {
        const row = rowOf.get(position)!;
        const [begin, end] = [target.offsets[aligned], target.offsets[aligned + 1]];
        entries.set(target.entries.subarray(begin, end), row * width);
        probabilities.set(target.probabilities.subarray(begin, end), row * width);
        tails[row] = target.tail[aligned];
        weights[row] = weight;
        partitionOfRow[row] = Math.max(0, target.partition);
        grouped[row] = target.partition < 0 ? 0 : 1;
      });
    }
    first += batch.rows[index].length;
  });
  return {
    entries: { data: entries, shape: [rows, width] },
    probabilities: { data: probabilities, shape: [rows, width] },
    tails: { data: tails, shape: [rows] },
    knowledgeWeights: { data: weights, shape: [rows] },
    ...(kind === "token" ? {} : { partitionOfRow: { data: partitionOfRow, shape: [rows] } }),
    ...(kind === "mixed" ? { grouped: { data: grouped, shape: [rows] } } : {}),
  };
}

function widestPosition(target: SampleTarget | null): number {
  let widest = 0;
  for (let at = 1; at < (target?.offsets.length ?? 0); at++)
    widest = Math.max(widest, target!.offsets[at] - target!.offsets[at - 1]);
  return widest;
}
