import { z } from "zod";
import { score } from "./summary.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** adapters/<party>/<run>.json in the registry: one published adapter, where it lies, what it belongs to and how it scored. */
export const registryEntry = z.strictObject({
  version: z.literal(1),
  party: z.string(),
  run: z.string(),
  /** rounds that made it */
  rounds: z.int().min(1),
  specHash: sha256,
  base: z.strictObject({ name: z.string(), configHash: sha256, tokenizerHash: sha256, weightsFingerprint: sha256 }),
  adapter: z.strictObject({
    bucket: z.string(),
    /** the PEFT folder's key */
    folder: z.string(),
    files: z.array(z.strictObject({ name: z.string(), bytes: z.int().min(0), sha256 })),
  }),
  /** after the last round */
  scores: z.array(score),
});
export type RegistryEntry = z.infer<typeof registryEntry>;
