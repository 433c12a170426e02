import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Knowledge } from "../../../shared/src/core/knowledge.ts";
import { readKnowledgeShard, writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { anyKnowledge } from "../../support/any-knowledge.ts";
import { shardHeader } from "../../support/knowledge.ts";

/** What packing may not change. */
function kept({ topIds, topLogProbs, tailMass, ...rest }: Knowledge): object {
  return rest;
}

/** Nats between what went in and what came out, the tail as one outcome, at one position. */
function divergence(before: Knowledge, after: Knowledge, at: number): number {
  const found = new Map<number, number>();
  for (let entry = after.entryOffsets[at]; entry < after.entryOffsets[at + 1]; entry++)
    found.set(after.topIds[entry], after.topLogProbs[entry]);
  let nats = 0;
  for (let entry = before.entryOffsets[at]; entry < before.entryOffsets[at + 1]; entry++) {
    const logProbability = before.topLogProbs[entry];
    nats += Math.exp(logProbability) * (logProbability - found.get(before.topIds[entry])!);
  }
  const tail = before.tailMass[at];
  return tail > 0 ? nats + tail * Math.log(tail / after.tailMass[at]) : nats;
}

describe("a packed shard", () => {
  it("of any knowledge gives back all but rounded probabilities, and those again to the byte", () => {
    const law = fc.property(anyKnowledge, ({ knowledge, vocabularySize, topK }) => {
      const header = { ...shardHeader, vocabularySize, topK };
      const before = structuredClone(knowledge);
      const bytes = writeKnowledgeShard(knowledge, header, "packed");
      expect(knowledge).toEqual(before);
      const read = readKnowledgeShard(bytes, "shard", header);
      expect(read.encoding).toBe("packed");
      expect(kept(read.knowledge)).toEqual(kept(knowledge));
      for (let at = 0; at < knowledge.positions.length; at++) {
        const [begin, end] = [knowledge.entryOffsets[at], knowledge.entryOffsets[at + 1]];
        const ids = read.knowledge.topIds.slice(begin, end);
        expect(ids.toSorted()).toEqual(knowledge.topIds.slice(begin, end).sort());
        expect(divergence(knowledge, read.knowledge, at)).toBeLessThan(2e-3);
        for (let entry = begin + 1; entry < end; entry++) {
          const [above, here] = read.knowledge.topLogProbs.subarray(entry - 1, entry + 1);
          expect(here < above || (here === above && ids[entry - begin] > ids[entry - begin - 1])).toBe(true);
        }
      }
      expect(writeKnowledgeShard(read.knowledge, header, "packed")).toEqual(bytes);
    });
    fc.assert(law, { numRuns: 120, seed: 21 });
  });
});
