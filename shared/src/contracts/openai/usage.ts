import { z } from "zod";

/** Tokens of a request and its answers. */
export const usage = z.looseObject({
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0),
  total_tokens: z.int().min(0),
  prompt_tokens_details: z
    .looseObject({
      /** not computed anew, since an earlier prompt began the same way */
      cached_tokens: z.int().min(0).nullish(),
    })
    .nullish(),
});
export type Usage = z.infer<typeof usage>;
