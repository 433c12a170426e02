/**
 * ROUGE-L of one text against another: how much of both is their longest common subsequence of words, as F1. Words are those of
 * Python's rouge-score without a stemmer: runs of ASCII letters and digits, in lower case.
 *
 * Time O(words × words), memory O(words).
 * @see Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004
 * @example rougeL("the cat sat on the mat", "The cat is on the mat.") // 0.8333…
 */
export function rougeL(text: string, reference: string): number {
  const [found, expected] = [wordsOf(text), wordsOf(reference)];
  const common = commonWords(found, expected);
  const [precision, recall] = [common / found.length, common / expected.length];
  return common === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

/**
 * ROUGE-L of a text against several references: of the one that it is most like, as rouge-score's `score_multi` has it, and the
 * evaluation of Super-NaturalInstructions' authors.
 *
 * @param references - at least one
 * @see https://github.com/yizhongw/Tk-Instruct/blob/main/src/compute_metrics.py, metric_max_over_ground_truths
 */
export function bestRougeL(text: string, references: readonly string[]): number {
  return Math.max(...references.map((reference) => rougeL(text, reference)));
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

/** @returns the length of the longest common subsequence */
function commonWords(a: readonly string[], b: readonly string[]): number {
  let row = new Uint32Array(b.length + 1);
  for (const word of a) {
    const next = new Uint32Array(b.length + 1);
    for (let column = 1; column <= b.length; column++)
      next[column] = word === b[column - 1] ? row[column - 1] + 1 : Math.max(row[column], next[column - 1]);
    row = next;
  }
  return row[b.length];
}
