/** How a model's context was stretched after its pretraining: another frequency for each pair of coordinates. */
export type RopeScaling =
  /** every position counts as position / factor (Chen et al., "Position interpolation", 2023) */
  | { kind: "linear"; factor: number }
  /**
   * Llama 3.1's: what turns more than `highFrequencyFactor` times in the original context stays, what turns less than
   * `lowFrequencyFactor` times is slowed by `factor`, and what lies between is blended.
   */
  | {
      kind: "llama3";
      factor: number;
      lowFrequencyFactor: number;
      highFrequencyFactor: number;
      /** tokens of the context before it was stretched */
      originalContext: number;
    };

/** @param frequencies - radians a token */
export function scaleFrequencies(frequencies: readonly number[], scaling: RopeScaling | null): number[] {
  if (scaling === null) return [...frequencies];
  const { factor } = scaling;
  if (scaling.kind === "linear") return frequencies.map((frequency) => frequency / factor);
  const { lowFrequencyFactor, highFrequencyFactor, originalContext } = scaling;
  return frequencies.map((frequency) => {
    const turns = (originalContext * frequency) / (2 * Math.PI);
    if (turns > highFrequencyFactor) return frequency;
    if (turns < lowFrequencyFactor) return frequency / factor;
    const kept = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
    return (1 - kept) * (frequency / factor) + kept * frequency;
  });
}
