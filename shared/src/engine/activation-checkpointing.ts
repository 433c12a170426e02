import type { TrainingSpec } from "../contracts/run-spec.ts";
import type { Architecture } from "./architectures/architecture.ts";
import { type EstimateSettings, estimateModel } from "./memory-estimate.ts";

/** What is left to everything else on the machine. */
const SHARE_OF_AVAILABLE = 0.8;

/**
 * Whether blocks are computed a second time in the backward pass. `auto`: where training would else need more than a good part
 * of the memory that is there, by the model's estimate. The results are the same either way.
 *
 * @param available - bytes that this process may take, those of the model included
 */
export function choosesCheckpointing(
  mode: TrainingSpec["activationCheckpointing"],
  architecture: Architecture,
  settings: Omit<EstimateSettings, "checkpointing">,
  available: number = process.availableMemory(),
): boolean {
  if (mode !== "auto") return mode === "on";
  const { memory } = estimateModel(architecture, { ...settings, checkpointing: false });
  return memory.total > available * SHARE_OF_AVAILABLE;
}
