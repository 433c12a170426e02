import { createPacker } from "../../../shared/src/engine/batch.ts";
import { openCheckpoint } from "../../../shared/src/engine/checkpoint.ts";
import { trainingGraph } from "../../../shared/src/engine/graphs.ts";
import { loadLoraBank, saveBank } from "../../../shared/src/engine/lora-bank.ts";
import type { LoraDropout } from "../../../shared/src/engine/lora-dropout.ts";
import { createBank, viewOf } from "../../../shared/src/engine/parameter-bank.ts";
import { createSession } from "../../../shared/src/engine/session.ts";
import { createStep } from "../../../shared/src/engine/training.ts";
import type { OpenModel, TrainOptions } from "../../../shared/src/ports/engine.ts";

/**
 * What the first step of a training computes, of all samples at once.
 *
 * @param lora - null: every weight is trained
 * @param adapter - adapter_model.safetensors; ignored without LoRA
 * @param dropout - null: adapters see all of their inputs
 * @returns the step's loss, and its gradients as safetensors under the names of what is trained
 */
export async function firstStep(
  folder: string,
  lora: OpenModel["lora"],
  adapter: Uint8Array | null,
  options: TrainOptions,
  dropout: LoraDropout | null = null,
): Promise<{ loss: number; gradients: Uint8Array }> {
  const checkpoint = openCheckpoint(folder);
  const { architecture } = checkpoint;
  const bank = lora
    ? loadLoraBank(architecture, lora, adapter!, "the initial adapter")
    : createBank(architecture.weights);
  if (!lora) for (const entry of bank.entries) viewOf(bank, entry).set(checkpoint.read(entry.name));
  const step = await createStep(
    {
      vocabularySize: architecture.vocabularySize,
      values: bank.values,
      entries: bank.entries,
      lora,
      dropout,
      checkGoingOn: () => {},
      pack: createPacker(architecture),
      session: (loss, _largest, mode) =>
        createSession(
          trainingGraph({ checkpoint, bank, lora }, { ...loss, checkpointing: mode === "on" }),
          checkpoint.folder,
          1,
        ),
    },
    options,
  );
  const { loss, gradient } = await step([...options.samples.keys()], 0);
  return { loss, gradients: saveBank({ entries: bank.entries, values: gradient }) };
}
