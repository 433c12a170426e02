import { InvalidInputError } from "../errors.ts";

/** What a worker gets of a machine: one GPU, or the four processors of a Fargate task. */
export interface Accelerator {
  name: string;
  /** of one GPU; of the task where there is none */
  memoryBytes: number;
  /** floating-point operations a second that training keeps up */
  flopsPerSecond: number;
  gpus: number;
}

const GIBIBYTE = 1024 ** 3;
const TERA = 1e12;

/**
 * Share of a GPU's peak that training keeps up: an assumption, since no run of ours on a GPU has been timed. Peaks are the makers'
 * for float32 matrix products (TF32 where the GPU has it), without sparsity.
 */
export const SUSTAINED_SHARE = 0.3;

const gpu = (name: string, gigabytes: number, peakTeraflops: number) => ({
  name,
  memoryBytes: gigabytes * GIBIBYTE,
  flopsPerSecond: peakTeraflops * TERA * SUSTAINED_SHARE,
});

const FAMILIES = {
  g4dn: gpu("NVIDIA T4", 16, 8.1),
  g5: gpu("NVIDIA A10G", 24, 35),
  g6: gpu("NVIDIA L4", 24, 60),
  g6e: gpu("NVIDIA L40S", 48, 183),
  p4d: gpu("NVIDIA A100 40 GB", 40, 156),
  p4de: gpu("NVIDIA A100 80 GB", 80, 156),
  p5: gpu("NVIDIA H100", 80, 494),
} as const;

/** Sizes with more than one GPU. */
const GPUS: Readonly<Record<string, number>> = {
  "g4dn.12xlarge": 4,
  "g5.12xlarge": 4,
  "g5.24xlarge": 4,
  "g5.48xlarge": 8,
  "g6.12xlarge": 4,
  "g6.24xlarge": 4,
  "g6.48xlarge": 8,
  "g6e.12xlarge": 4,
  "g6e.24xlarge": 4,
  "g6e.48xlarge": 8,
  "p4d.24xlarge": 8,
  "p4de.24xlarge": 8,
  "p5.48xlarge": 8,
};

/** Measured: a LoRA step of 512 tokens on GPT-2 small (124 million parameters) took 0.79 s on two cores, which is four vCPU. */
const FARGATE: Accelerator = {
  name: "4 vCPU",
  memoryBytes: 16 * GIBIBYTE,
  flopsPerSecond: (4 * 124e6 * 512) / 0.79,
  gpus: 0,
};

/** @throws InvalidInputError `PRICE_UNKNOWN` for a type without a GPU that is known here */
export function acceleratorOf(instanceType: string): Accelerator {
  if (instanceType === "fargate-4vcpu-16gb") return FARGATE;
  const family = instanceType.split(".")[0];
  if (!Object.hasOwn(FAMILIES, family))
    throw new InvalidInputError(
      "PRICE_UNKNOWN",
      `${JSON.stringify(instanceType)}: expected fargate-4vcpu-16gb or an instance type of ${Object.keys(FAMILIES).join(", ")}`,
    );
  return { ...FAMILIES[family as keyof typeof FAMILIES], gpus: GPUS[instanceType] ?? 1 };
}
