/** Another name for a member of the spec, accepted so that settings can be carried over from FATE-LLM and PEFT. */
export interface Alias {
  /** where the other name may stand; `*` is any list index */
  within: string;
  name: string;
  /** the spec's own place, from the top */
  means: string;
  /** values that are written differently there; undefined: what is meant is what holds without it */
  values?: Readonly<Record<string, unknown>>;
}

/** FATE-LLM's FedMKTTrainingArguments that concern the whole run; accepted at the top and under `distillation`. */
const RUN_NAMES: readonly Omit<Alias, "within">[] = [
  { name: "kd_alpha", means: "distillation.lambda" },
  { name: "distill_temperature", means: "distillation.temperature" },
  { name: "top_k_logits_keep", means: "distillation.topK" },
  { name: "token_align_strategy", means: "distillation.alignment", values: { greedy_dp: "greedy-dp" } },
  { name: "llm_training", means: "distillation.direction", values: { true: "both", false: "to-clients" } },
  // with one tokenizer all round, equal ends are equal positions: everything is carried over as it is
  { name: "skip_align", means: "distillation.alignment", values: { true: "byte-offset", false: undefined } },
  { name: "distill_strategy", means: "distillation.selection", values: { weighted_mean: "weighted-mean" } },
];

/** Hugging Face's TrainingArguments. */
const TRAINING_NAMES = [
  ["learning_rate", "learningRate"],
  ["per_device_train_batch_size", "microBatchSize"],
  ["lr_scheduler_type", "schedule"],
  ["warmup_ratio", "warmupRatio"],
  ["adam_epsilon", "epsilon"],
  ["weight_decay", "weightDecay"],
  ["max_grad_norm", "clipNorm"],
] as const;

/** PEFT's LoraConfig. */
const LORA_NAMES = [
  ["r", "rank"],
  ["lora_alpha", "alpha"],
  ["target_modules", "targets"],
  ["lora_dropout", "dropout"],
] as const;

const PARTIES = ["server", "clients.*"] as const;

/** Every accepted other name. */
export const ALIASES: readonly Alias[] = [
  { within: "", name: "global_epochs", means: "rounds" },
  { within: "", name: "post_fedavg", means: "aggregation", values: { true: "fedavg", false: "none" } },
  ...RUN_NAMES.flatMap((alias) => ["", "distillation"].map((within) => ({ within, ...alias }))),
  ...PARTIES.flatMap((party) => [
    ...TRAINING_NAMES.map(([name, own]) => ({ within: `${party}.training`, name, means: `${party}.training.${own}` })),
    ...LORA_NAMES.map(([name, own]) => ({ within: `${party}.lora`, name, means: `${party}.lora.${own}` })),
  ]),
  {
    within: "server.training",
    name: "server_public_data_local_epoch",
    means: "server.training.publicEpochs",
  },
  {
    within: "clients.*.training",
    name: "client_public_data_local_epoch",
    means: "clients.*.training.publicEpochs",
  },
  {
    within: "clients.*.training",
    name: "client_priv_data_local_epoch",
    means: "clients.*.training.privateEpochs",
  },
];

/** Names from elsewhere that have no single counterpart here; an unknown key of this name is answered with the advice. */
export const ADVICE: Readonly<Record<string, string>> = {
  gradient_accumulation_steps: "give batchSize, the samples in one optimizer step, instead",
  num_train_epochs: "give privateEpochs and publicEpochs instead",
  epochs: "give privateEpochs and publicEpochs instead",
  distill_loss_type: "leave it out: ce and kl differ by the source's entropy, which no gradient sees",
  metric_type: "leave it out: distillation.lossMetric: diluted is FATE-LLM's ce",
  top_k_strategy: "leave it out: the likeliest entries are kept",
  vocab_mapping_paths: "leave it out: maps are computed, and kept; distillation.vocabularyMap says by which rule",
  vocab_size: "leave it out: it is read from the model's config.json",
};
