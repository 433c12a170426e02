/**
 * What one model knows about a stretch of the public set, as flat arrays. Dimension letters: S samples, T tokens of all
 * samples together, P positions of all samples together, E entries kept at all positions together.
 *
 * A position is the index (within its sample) of the token after which the model predicts: position t predicts token t + 1,
 * and is an answer position where token t + 1 is an answer token.
 */
export interface Knowledge {
  /** [S × 16] stable ids */
  sampleIds: Uint8Array;
  /** [S] answer tokens' loss, summed, in nats */
  lossNats: Float64Array;
  /** [S] UTF-8 bytes of the answer */
  answerBytes: Int32Array;
  /** [S] answer positions: the last so many of a sample's positions; those before them, if any, are its prompt's */
  answerPositions: Int32Array;
  /** [S + 1] where each sample's tokens begin */
  tokenOffsets: Int32Array;
  /** [T] token ids, BOS first */
  tokenIds: Int32Array;
  /** [T] end of the text consumed after this token, in bytes of the sample; −1 before an added prefix space */
  tokenEnds: Int32Array;
  /** [S + 1] where each sample's positions begin */
  positionOffsets: Int32Array;
  /** [P] token index within the sample */
  positions: Int32Array;
  /** [P + 1] where each position's entries begin; at least one each */
  entryOffsets: Int32Array;
  /** [E] token ids, likeliest first, ties by lower id */
  topIds: Int32Array;
  /** [E] natural log-probabilities over the whole vocabulary, descending within a position */
  topLogProbs: Float32Array;
  /** [P] probability that was cut off */
  tailMass: Float32Array;
}

/** One model's knowledge in another's tokens and positions. A aligned positions, E entries of all of them together. */
export interface AlignedKnowledge {
  /** [S × 16] */
  sampleIds: Uint8Array;
  /** [S + 1] where each sample's aligned positions begin */
  positionOffsets: Int32Array;
  /** [A] the target's token index within the sample, ascending within it */
  positions: Int32Array;
  /** [A + 1] where each position's entries begin */
  entryOffsets: Int32Array;
  /** [E] the target's token ids, or its group ids; ascending within a position */
  entries: Int32Array;
  /** [E] probability mass; per position they and the tail sum to 1 */
  probabilities: Float32Array;
  /** [A] mass that top-K cut off or that maps nowhere */
  tail: Float32Array;
  statistics: AlignmentStatistics;
}

/** Sums over a shard, so that shards add up; the report divides. */
export interface AlignmentStatistics {
  /** answer positions of the target */
  targetPositions: number;
  /** of these, positions with a source position at the same byte */
  alignedPositions: number;
  /** probability at aligned positions that reached a target token or group */
  keptMass: number;
  /** the part of it that went to a token of the very same bytes or role */
  exactMass: number;
  /** probability of kept source tokens that map nowhere */
  unmappedMass: number;
}

/** How a source token found its target token. */
export const MAPPED = { nowhere: 0, equal: 1, role: 2, prefix: 3, edit: 4 } as const;

/** A vocabulary map (MinED) from source to target. V source, W target vocabulary size. */
export interface VocabularyMap {
  rule: "product" | "min-edit" | "reference";
  /** [V] target token id, −1: nowhere */
  targetOfSource: Int32Array;
  /** [V] one of MAPPED */
  kind: Uint8Array;
  /** [V] edit distance in code points where kind is edit, else 0 */
  distance: Int32Array;
  /** [W] the group of each target token: by the longest source token that is a prefix of it, else alone; numbered from 0 by first member */
  groupOfTarget: Int32Array;
  groups: number;
  /** [V] the group to which each source token's mass goes, −1: nowhere */
  groupOfSource: Int32Array;
}
