/** Fan et al., "FedMKT", appendix D.1. */
export const PAPER = {
  lora: { rank: 8, alpha: 16, dropout: 0.05 },
  batchSize: 4,
  betas: [0.9, 0.95],
  weightDecay: 0.1,
  clipNorm: 1,
  warmupRatio: 0.008,
  lambda: 0.9,
} as const;
