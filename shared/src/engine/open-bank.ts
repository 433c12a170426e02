import { InvalidInputError } from "../core/errors.ts";
import type { OpenModel } from "../ports/engine.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { freshLoraBank, loadLoraBank } from "./lora-bank.ts";
import { createBank, type ParameterBank, viewOf } from "./parameter-bank.ts";

/**
 * What is trained of a model: an adapter, fresh or given, every weight, or nothing.
 * @throws InvalidInputError `MODEL_OPTIONS_INVALID`; what {@link loadLoraBank} throws
 */
export function openBank(checkpoint: Checkpoint, options: OpenModel): ParameterBank {
  const { folder, lora, adapter, seed, trainable = "lora" } = options;
  const refuse = (reason: string) => new InvalidInputError("MODEL_OPTIONS_INVALID", `${folder}: ${reason}`);
  if (trainable === "all") {
    if (lora || adapter) throw refuse("expected no LoRA where all weights are trained");
    return wholeBank(checkpoint);
  }
  if (!lora) {
    if (adapter) throw refuse("expected LoRA settings for the adapter, got none");
    return createBank([]);
  }
  if (!adapter) return freshLoraBank(checkpoint.architecture, lora, seed);
  return loadLoraBank(checkpoint.architecture, lora, adapter, `the adapter given for ${folder}`);
}

/** Every weight, read into memory. */
export function wholeBank(checkpoint: Checkpoint): ParameterBank {
  const bank = createBank(checkpoint.architecture.weights);
  for (const entry of bank.entries) viewOf(bank, entry).set(checkpoint.read(entry.name));
  return bank;
}
