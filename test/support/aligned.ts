import { type AlignedKnowledge, MAPPED, type VocabularyMap } from "../../shared/src/core/knowledge.ts";
import type { AlignedHeader } from "../../shared/src/formats/aligned-shard.ts";
import type { VocabularyMapHeader } from "../../shared/src/formats/vocabulary-map.ts";

export const alignedHeader: AlignedHeader = {
  run: "quickstart",
  round: 2,
  source: "harbour",
  target: "server",
  shard: 3,
  learn: "group",
  sourceTokenizerHash: "2".repeat(64),
  targetTokenizerHash: "4".repeat(64),
  datasetHash: "3".repeat(64),
};

/** Two samples: two aligned positions with entries, and one where everything is in the tail. */
export function makeAligned(): AlignedKnowledge {
  const sampleIds = new Uint8Array(32);
  sampleIds[16] = 1;
  return {
    sampleIds,
    positionOffsets: Int32Array.of(0, 2, 3),
    positions: Int32Array.of(0, 3, 1),
    entryOffsets: Int32Array.of(0, 2, 2, 3),
    entries: Int32Array.of(1, 4, 0),
    probabilities: Float32Array.of(0.5, 0.25, 0.75),
    tail: Float32Array.of(0.25, 1, 0.25),
    statistics: { targetPositions: 7, alignedPositions: 3, keptMass: 1.5, exactMass: 1, unmappedMass: 0.1 },
  };
}

export const mapHeader: VocabularyMapHeader = {
  sourceTokenizerHash: "2".repeat(64),
  targetTokenizerHash: "4".repeat(64),
};

/** Five source tokens, one for each way of being mapped, onto four target tokens in three groups. */
export function makeMap(): VocabularyMap {
  return {
    rule: "product",
    targetOfSource: Int32Array.of(-1, 0, 1, 2, 3),
    kind: Uint8Array.of(MAPPED.nowhere, MAPPED.equal, MAPPED.role, MAPPED.prefix, MAPPED.edit),
    distance: Int32Array.of(0, 0, 0, 0, 2),
    groupOfTarget: Int32Array.of(0, 1, 0, 2),
    groups: 3,
    groupOfSource: Int32Array.of(-1, 0, 1, 0, 2),
  };
}
