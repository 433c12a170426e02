import { z } from "zod";
import { nameKind } from "./name-kind.ts";
import { MAX_PROMPTS, MAX_TOKENS } from "./request-limits.ts";

/** A text, tokens, or several of either. */
export type Prompt = string | string[] | number[] | number[][];

const MAX_TOKEN_ID = 0x7fff_ffff;

/** Looks at every token, and stops at the first that is none. */
export const prompt = z.unknown().transform((value, context): Prompt => {
  const refuse = (path: number[], message: string): never => {
    context.issues.push({ code: "custom", path, message, input: value });
    return z.NEVER;
  };
  if (typeof value === "string") return value;
  if (value === undefined) return refuse([], "missing; expected a text, tokens, or a list of either");
  if (!Array.isArray(value) || value.length === 0)
    return refuse([], `expected a text, tokens, or a list of either, got ${nameKind(value)}`);
  if (typeof value[0] === "number") return checkTokens(value, [], refuse);
  if (value.length > MAX_PROMPTS) return refuse([], `expected at most ${MAX_PROMPTS} prompts, got ${value.length}`);
  const areTexts = typeof value[0] === "string";
  for (const [at, one] of value.entries()) {
    if (areTexts && typeof one !== "string") return refuse([at], "expected a text, as the first is");
    if (!areTexts && !Array.isArray(one)) return refuse([at], "expected a text or a list of tokens");
    if (!areTexts && checkTokens(one, [at], refuse) === z.NEVER) return z.NEVER;
  }
  return value as Prompt;
});

function checkTokens(value: unknown[], path: number[], refuse: (path: number[], message: string) => never): number[] {
  if (value.length === 0 || value.length > MAX_TOKENS)
    return refuse(path, `expected between 1 and ${MAX_TOKENS} tokens, got ${value.length}`);
  const at = value.findIndex((id) => !Number.isInteger(id) || (id as number) < 0 || (id as number) > MAX_TOKEN_ID);
  return at === -1 ? (value as number[]) : refuse([...path, at], `expected a token's id, from 0 to ${MAX_TOKEN_ID}`);
}

/** How many prompts a request has. */
export function countPrompts(asked: Prompt): number {
  return Array.isArray(asked) && typeof asked[0] !== "number" ? asked.length : 1;
}
