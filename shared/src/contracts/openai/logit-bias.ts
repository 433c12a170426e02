import { z } from "zod";

/** Most tokens that one request has a bias for. */
const MAX_BIASED = 1024;
const MOST = 100;
const TOKEN_ID = /^(0|[1-9]\d{0,8})$/;

/** OpenAI's `logit_bias`: what is added to the logits of tokens, by id. The first mistake alone is told, however many there are. */
export const logitBias = z
  .custom<Record<string, number>>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "expected an object of numbers by token id",
  )
  .superRefine((value, context) => {
    const entries = Object.entries(value);
    const refuse = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (entries.length > MAX_BIASED) {
      refuse([], `expected at most ${MAX_BIASED} tokens, got ${entries.length}`);
      return;
    }
    const wrong = entries.find(([id, bias]) => !TOKEN_ID.test(id) || !isBias(bias));
    if (wrong === undefined) return;
    const [id] = wrong;
    if (TOKEN_ID.test(id)) refuse([id], `expected a number from -${MOST} to ${MOST}`);
    else refuse([], "expected token ids as keys");
  });

function isBias(value: unknown): boolean {
  return typeof value === "number" && Math.abs(value) <= MOST;
}
