import { z } from "zod";

/** What an adapter came of. */
export interface Lineage {
  party: string;
  run: string;
  rounds: number;
  specHash: string;
  /** ISO time; null: its entry does not say */
  publishedAt: string | null;
  /** fingerprint of the base weights that it was trained on */
  baseWeights: string;
}

/** One model of `/v1/models`: OpenAI's fields, vLLM's `root` and `parent`, and ours. */
export interface ModelObject {
  id: string;
  object: "model";
  /** seconds since 1970: when it was taken up */
  created: number;
  owned_by: string;
  /** an adapter's folder or key; of the base model its own id */
  root: string;
  /** the base model's id; null: it is the base */
  parent: string | null;
  /** most tokens of a prompt and its answer together */
  max_model_len: number;
  /** null: the base, or an adapter that came from no run */
  lineage: Lineage | null;
}

export interface ModelList {
  object: "list";
  data: ModelObject[];
}

const MAX_MODELS = 4096;

/** A list of models as a server of this protocol sends it. */
export const modelList = z.object({
  object: z.literal("list"),
  data: z
    .array(
      z.object({
        id: z.string().max(4096),
        root: z.string().max(4096).nullish(),
        parent: z.string().max(4096).nullish(),
        max_model_len: z.int().min(1).nullish(),
      }),
    )
    .max(MAX_MODELS),
});
