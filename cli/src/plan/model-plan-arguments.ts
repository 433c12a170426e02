import type { ArgsDef } from "citty";

/** What `fedmkt plan --model` takes. */
export const MODEL_PLAN_ARGUMENTS = {
  model: { type: "string", valueHint: "folder", description: "a model instead of a run: what it takes to train it" },
  batch: { type: "string", valueHint: "n", description: "of a model: samples in one forward pass (default: 4)" },
  tokens: {
    type: "string",
    valueHint: "n",
    description: "of a model: tokens of the longest sample (default: 512, or the model's context)",
  },
  rank: { type: "string", valueHint: "n", description: "of a model's LoRA adapter (default: 8)" },
  targets: { type: "string", valueHint: "names", description: "of a model's LoRA adapter, as fedmkt train has it" },
  "all-weights": { type: "boolean", description: "of a model: every weight is trained" },
} as const satisfies ArgsDef;
