import { z } from "zod";
import { PAPER } from "./paper-defaults.ts";

/** The choices that make a method, one by one. docs/method.md says what each does. */
export const METHOD_CHOICES = {
  alignment: ["byte-offset", "dtw", "greedy-dp"],
  transfer: ["product", "paper", "fate"],
  vocabularyMap: ["product", "min-edit", "reference"],
  learn: ["group", "token"],
  lossMetric: ["per-byte", "per-token", "diluted"],
  selection: ["strict", "greater", "weighted-mean", "token", "confidence"],
  positions: ["answer", "all"],
} as const;

export type MethodChoices = { [Choice in keyof typeof METHOD_CHOICES]: (typeof METHOD_CHOICES)[Choice][number] };

/** What each method chooses; a choice that the spec gives itself overrides its own. */
export const METHODS = {
  product: {
    alignment: "byte-offset",
    transfer: "product",
    vocabularyMap: "product",
    learn: "group",
    lossMetric: "per-byte",
    selection: "strict",
    positions: "answer",
  },
  paper: {
    alignment: "dtw",
    transfer: "paper",
    vocabularyMap: "min-edit",
    learn: "token",
    lossMetric: "per-token",
    selection: "strict",
    positions: "answer",
  },
  fate: {
    alignment: "dtw",
    transfer: "fate",
    vocabularyMap: "reference",
    learn: "token",
    lossMetric: "diluted",
    selection: "greater",
    positions: "all",
  },
} as const satisfies Record<string, MethodChoices>;

export type Method = keyof typeof METHODS;

/** λ where a spec says none: the paper's and FATE-LLM's own; for `product` what gained most in docs/experiments.md without harm anywhere. */
export const METHOD_LAMBDAS: Readonly<Record<Method, number>> = {
  product: 0.7,
  paper: PAPER.lambda,
  fate: PAPER.lambda,
};
export const METHOD_NAMES = Object.keys(METHODS) as [Method, ...Method[]];

/** Without defaults: what is left out is the method's. */
export const methodChoices = {
  alignment: z.enum(METHOD_CHOICES.alignment).optional().describe("which positions of two tokenisations are paired"),
  transfer: z
    .enum(METHOD_CHOICES.transfer)
    .optional()
    .describe("what becomes of a source's probabilities at paired positions"),
  vocabularyMap: z.enum(METHOD_CHOICES.vocabularyMap).optional().describe("how a source's token finds the target's"),
  learn: z.enum(METHOD_CHOICES.learn).optional().describe("mass on groups of the target's tokens, or on single ones"),
  lossMetric: z.enum(METHOD_CHOICES.lossMetric).optional().describe("by which selection compares losses"),
  selection: z.enum(METHOD_CHOICES.selection).optional().describe("from whom a public sample is learned"),
  positions: z
    .enum(METHOD_CHOICES.positions)
    .optional()
    .describe("which positions carry knowledge: the answer's, or the prompt's too"),
} satisfies { [Choice in keyof MethodChoices]: z.ZodType<MethodChoices[Choice] | undefined> };

const NAMES = Object.keys(METHOD_CHOICES) as (keyof MethodChoices)[];

/** What is in force where a method is named and some choices are given. */
export function choicesInForce(method: Method, given: Readonly<Partial<Record<string, unknown>>>): MethodChoices {
  const own = NAMES.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]);
  return { ...METHODS[method], ...(Object.fromEntries(own) as Partial<MethodChoices>) };
}

/** A choice of a method, or a bound that some of them have no use for. */
type ExcludedChoice = keyof MethodChoices | "minGap" | "maxGap";

/**
 * Choices that exclude each other, each told at the one that was given. Takes any value, checked or not.
 * @returns which choice, and why it cannot be
 */
export function findExcludedChoices(
  method: unknown,
  given: Readonly<Record<string, unknown>>,
): { choice: ExcludedChoice; message: string }[] {
  if (typeof method !== "string" || !Object.hasOwn(METHODS, method)) return [];
  const { transfer, learn, selection } = choicesInForce(method as Method, given);
  const found: { choice: ExcludedChoice; message: string }[] = [];
  const { minGap = 0, maxGap } = given;
  if (selection === "greater" || selection === "weighted-mean")
    for (const choice of ["minGap", "maxGap"] as const)
      if (given[choice] !== undefined && given[choice] !== 0)
        found.push({
          choice,
          message: `selection: ${selection} compares rewards, which no gap bounds; take selection: strict, token or confidence, or leave out ${choice}`,
        });
  if (typeof minGap === "number" && typeof maxGap === "number" && minGap >= maxGap)
    found.push({ choice: "maxGap", message: `expected more than minGap (${minGap}), got ${maxGap}` });
  if (learn !== "group") return found;
  // the choice that the spec does not leave to its method is the one to be changed; of two the one that is not `learn`
  const told = (other: keyof MethodChoices) => (given[other] === undefined ? "learn" : other);
  if (transfer === "paper" || transfer === "fate")
    found.push({
      choice: told("transfer"),
      message: `transfer: ${transfer} gives mass to single tokens of the target, learn: group to groups of them; take learn: token, or transfer: product`,
    });
  if (selection === "weighted-mean" || selection === "confidence")
    found.push({
      choice: told("selection"),
      message: `selection: ${selection} mixes what several parties say of one token, but with learn: group each source parts the target's tokens into groups of its own; take learn: token, or another selection`,
    });
  return found;
}
