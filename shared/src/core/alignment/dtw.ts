import { checkSequences } from "./sequence-limits.ts";
import { tokenDistances } from "./token-distances.ts";

/** By which step a cell of the path is reached; of equal costs the first. */
const STEP = { both: 0, source: 1, target: 2 } as const;

/**
 * Aligns two tokenisations of the same text by dynamic time warping (DTW).
 *
 * The path runs from (0, 0) to (S − 1, T − 1), one step at a time: both sequences, source only, or target only. Of all such
 * paths it has the least total cost, which is the sum of the Levenshtein distances, in code points, of the tokens it pairs.
 * On a tie "both" beats "source only" beats "target only": FATE-LLM's order, held by its 192 golden cases.
 *
 * @param source - tokens of the model whose knowledge is translated; S ≥ 1, boundary marks removed
 * @param target - tokens of the model that learns from it; T ≥ 1, likewise
 * @returns for each target token its source tokens, ascending, never none
 * @throws InvalidInputError `EMPTY_SEQUENCE`, `SEQUENCES_TOO_LONG`
 *
 * Time O(S · T); memory a byte a pair of tokens and four a pair of distinct ones, 512 × 512 at most 1.3 MB.
 * @see Fan et al., "FedMKT", COLING 2025, section 3.3; FATE-LLM token_alignment/token_align.py
 * @example alignByDtw(["un", "happy"], ["unhappy"]) // { totalCost: 7, sourcesOfTarget: [[0, 1]] }
 */
export function alignByDtw(
  source: readonly string[],
  target: readonly string[],
): { totalCost: number; sourcesOfTarget: number[][] } {
  checkSequences(source, target, "dtw");
  const width = target.length;
  const { sourceKinds, targetKinds, columns, distances } = tokenDistances(source, target);
  const steps = new Uint8Array(source.length * width);
  // costs of the row above, from one place left of its first cell
  const row = new Float64Array(width + 1).fill(Number.POSITIVE_INFINITY);
  row[0] = 0;
  for (let line = 0; line < source.length; line++) {
    const distancesFrom = sourceKinds[line] * columns;
    const stepsFrom = line * width;
    let both = row[0];
    let targetOnly = Number.POSITIVE_INFINITY;
    row[0] = targetOnly;
    for (let column = 0; column < width; column++) {
      const sourceOnly = row[column + 1];
      let least = both;
      let step: number = STEP.both;
      if (sourceOnly < least) {
        least = sourceOnly;
        step = STEP.source;
      }
      if (targetOnly < least) {
        least = targetOnly;
        step = STEP.target;
      }
      both = sourceOnly;
      targetOnly = least + distances[distancesFrom + targetKinds[column]];
      row[column + 1] = targetOnly;
      steps[stepsFrom + column] = step;
    }
  }
  return { totalCost: row[width], sourcesOfTarget: followBack(steps, source.length, width) };
}

function followBack(steps: Uint8Array, height: number, width: number): number[][] {
  const sourcesOfTarget = Array.from({ length: width }, (): number[] => []);
  let line = height - 1;
  let column = width - 1;
  while (true) {
    sourcesOfTarget[column].push(line);
    if (line === 0 && column === 0) break;
    const step = steps[line * width + column];
    if (step !== STEP.target) line--;
    if (step !== STEP.source) column--;
  }
  for (const sources of sourcesOfTarget) sources.reverse();
  return sourcesOfTarget;
}
