import { afterAll, describe, it } from "@jest/globals";
import type { Engine } from "../../../shared/src/ports/engine.ts";
import type { TrainerCheck } from "./check.ts";
import { CHECKPOINT_CHECKS } from "./checkpoint-checks.ts";
import { INFERENCE_CHECKS } from "./inference-checks.ts";
import { LIFETIME_CHECKS } from "./lifetime-checks.ts";
import { REFUSAL_CHECKS } from "./refusal-checks.ts";
import { TRAINING_CHECKS } from "./training-checks.ts";

/** Everything that a trainer must do to take the engine's place. Numbers are PyTorch's, transformers' and PEFT's. */
export const TRAINER_CHECKS: Record<string, readonly TrainerCheck[]> = {
  inference: INFERENCE_CHECKS,
  training: TRAINING_CHECKS,
  checkpoints: CHECKPOINT_CHECKS,
  refusals: REFUSAL_CHECKS,
  lifetime: LIFETIME_CHECKS,
};

/** A framework may take a while to start, on a machine that does other things. */
const TIMEOUT_MS = 300_000;

/** Declares the suite for one trainer. @param make - called once; closed after the tests */
export function describeTrainer(name: string, make: () => Engine): void {
  describe(`${name} as a trainer`, () => {
    let engine: Engine | null = null;
    const made = () => {
      engine ??= make();
      return engine;
    };
    afterAll(() => engine?.close());
    for (const [subject, checks] of Object.entries(TRAINER_CHECKS))
      describe(subject, () => {
        for (const { title, run } of checks) it(title, () => run(made()), TIMEOUT_MS);
      });
  });
}
