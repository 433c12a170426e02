import { crossEntropy } from "./cross-entropy.ts";
import { type SparseTarget, sparseDistillationLoss } from "./sparse-distillation-loss.ts";

/** One sample of an optimizer step. T tokens, V vocabulary. */
export interface StepSample {
  /** [T][V] row t predicts token t + 1 */
  logits: readonly ArrayLike<number>[];
  /** [T] */
  ids: ArrayLike<number>;
  /** [T] 1 where the token is an answer token: the mask of the labels */
  answer: ArrayLike<number>;
  /** what it learns from knowledge, by position; empty where it is not selected: the mask of the knowledge */
  taught: ReadonlyMap<number, SparseTarget>;
  /** [V] group of each token, or null: entries are tokens */
  groupOfToken: ArrayLike<number> | null;
}

/** What the knowledge's loss is divided by: the step's taught positions, or all of its answer tokens. */
export const KNOWLEDGE_MEANS = ["taught", "all"] as const;
export type KnowledgeMean = (typeof KNOWLEDGE_MEANS)[number];

/**
 * The loss of an optimizer step and its gradient, as the definition reads:
 *
 *     λ · (mean of CE over the step's answer tokens) + (1 − λ) · (mean of KD over the step's taught positions)
 *
 * With the mean "all" the sum of KD is divided by the number of the step's answer tokens instead, as if a position that nothing teaches
 * had a KD of 0: a step in which little was selected then learns little from it, where "taught" has it learn that little with full weight.
 *
 * A mean over nothing is 0. The two masks are apart: a taught position need not be an answer's.
 *
 * @returns loss in nats; gradients with respect to the logits, for each sample [T][V]
 *
 * Time O(tokens · V), float64.
 */
export function stepLoss(
  samples: readonly StepSample[],
  lambda: number,
  temperature: number,
  knowledgeMean: KnowledgeMean = "taught",
): { loss: number; gradients: Float64Array[][] } {
  const answers = samples.reduce((sum, { answer }) => sum + Array.from(answer).filter((flag) => flag === 1).length, 0);
  const positions = samples.reduce((sum, { taught }) => sum + taught.size, 0);
  const divisor = knowledgeMean === "all" ? answers : positions;
  const knowledgeWeight = divisor === 0 ? 0 : (1 - lambda) / divisor;
  let loss = 0;
  const gradients = samples.map(({ logits, ids, answer, taught, groupOfToken }) =>
    logits.map((row, position) => {
      const gradient = new Float64Array(row.length);
      const add = (weight: number, part: { loss: number; gradient: Float64Array }) => {
        loss += weight * part.loss;
        part.gradient.forEach((value, token) => {
          gradient[token] += weight * value;
        });
      };
      if (answer[position + 1] === 1) add(lambda / answers, crossEntropy(row, ids[position + 1]));
      const target = taught.get(position);
      if (target) add(knowledgeWeight, sparseDistillationLoss(row, target, temperature, groupOfToken));
      return gradient;
    }),
  );
  return { loss, gradients };
}
