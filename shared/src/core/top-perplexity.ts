import { cutEntries } from "./cut-entries.ts";
import type { Knowledge } from "./knowledge.ts";

/** What rounding may add to a perplexity, so that four even tokens count as four and not as five. */
const ROUNDING = 1e-6;

/**
 * Cuts each position's entries by how unsure the model is there: at most ⌈factor · exp(entropy)⌉ of the likeliest are kept, and at
 * least one. exp(entropy), the perplexity of a position, is among how many even tokens the model in effect wavers. The entropy
 * is that of the entries and of the tail, which counts as one token, so it is a little less than the whole distribution's.
 *
 * @param factor - above 0; undefined: nothing is cut
 * @see Zhang et al., arXiv 2509.01750, where K follows the channel's state; here it follows the position's own entropy
 *
 * Time O(E).
 */
export function cutAtPerplexity(knowledge: Knowledge, factor: number | undefined): Knowledge {
  if (factor === undefined) return knowledge;
  const { entryOffsets, topLogProbs, tailMass } = knowledge;
  const counts = new Int32Array(tailMass.length);
  for (let at = 0; at < counts.length; at++) {
    const tail = tailMass[at];
    let entropy = tail > 0 ? -tail * Math.log(tail) : 0;
    for (let entry = entryOffsets[at]; entry < entryOffsets[at + 1]; entry++)
      entropy -= Math.exp(topLogProbs[entry]) * topLogProbs[entry];
    const most = Math.max(1, Math.ceil(factor * Math.exp(entropy) * (1 - ROUNDING)));
    counts[at] = Math.min(most, entryOffsets[at + 1] - entryOffsets[at]);
  }
  return cutEntries(knowledge, counts);
}
