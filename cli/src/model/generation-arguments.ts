import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { Generation } from "@fedmkt/shared/use-cases/generate-text.ts";
import type { ArgsDef } from "citty";
import type { CommandContext } from "../command.ts";
import { type NumberRange, readNumber } from "../number-argument.ts";
import { readWhole } from "./model-arguments.ts";

const MAX_TOKENS = { least: 1, most: 1_000_000 };

export const LENGTH_ARGUMENTS = {
  "max-tokens": { type: "string", valueHint: "n", description: "most tokens that are generated (default: 128)" },
  stop: {
    type: "string",
    valueHint: "text",
    description: "ends generation where it comes, and is left out; EOS ends it always",
  },
} as const satisfies ArgsDef;

export const SAMPLING_ARGUMENTS = {
  temperature: { type: "string", valueHint: "n", description: "0 (default): always the likeliest token" },
  "top-k": { type: "string", valueHint: "n", description: "draw among so many of the likeliest tokens" },
  "top-p": {
    type: "string",
    valueHint: "n",
    description: "draw among the likeliest tokens that have this mass together",
  },
  seed: { type: "string", valueHint: "n", description: "of the drawing (default: 0)" },
} as const satisfies ArgsDef;

/** Where generation ends. @throws InvalidInputError `BAD_ARGUMENT` */
export function readLength(command: string, args: CommandContext["args"]): Pick<Generation, "maxTokens" | "stop"> {
  return {
    maxTokens: readWhole(command, args, "max-tokens", { ...MAX_TOKENS, otherwise: 128 }),
    stop: args.stop === undefined ? [] : [args.stop as string],
  };
}

/** @throws InvalidInputError `BAD_ARGUMENT` */
export function readSampling(
  command: string,
  args: CommandContext["args"],
): Pick<Generation, "temperature" | "topK" | "topP" | "seed"> {
  const read = (option: string, range: NumberRange) => {
    const text = args[option] as string | undefined;
    return text === undefined ? null : readNumber(`fedmkt ${command}: --${option}`, text, range);
  };
  const temperature = read("temperature", { least: 0, most: 100, whole: false }) ?? 0;
  const topK = read("top-k", { least: 1, most: 1_000_000 });
  const topP = read("top-p", { least: 1e-6, most: 1, whole: false });
  const seed = read("seed", { least: 0, most: 0xffffffff });
  if (temperature === 0)
    for (const [option, value] of Object.entries({ "top-k": topK, "top-p": topP, seed }))
      if (value !== null)
        throw new InvalidInputError(
          "BAD_ARGUMENT",
          `fedmkt ${command}: --${option} is for drawing: give a --temperature above 0 with it`,
        );
  return { temperature, topK, topP, seed: seed ?? 0 };
}
