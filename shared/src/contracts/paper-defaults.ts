/** Fan et al., "FedMKT", appendix D.1; its LoRA dropout of 0.05 waits for the engine's dropout. */
export const PAPER = {
  lora: { rank: 8, alpha: 16 },
  batchSize: 4,
  betas: [0.9, 0.95],
  weightDecay: 0.1,
  clipNorm: 1,
  warmupRatio: 0.008,
  lambda: 0.9,
} as const;
