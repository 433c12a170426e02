import type { MultipleChoice } from "@fedmkt/shared/core/samples/multiple-choice.ts";
import type { Sample } from "@fedmkt/shared/core/samples/sample.ts";
import { parseModelConfig } from "@fedmkt/shared/formats/model-config.ts";
import { writeSamples } from "@fedmkt/shared/formats/samples.ts";
import { sha256 } from "@fedmkt/shared/formats/sha256.ts";
import { MAX_CONFIG_BYTES, MAX_TOKENIZER_BYTES } from "@fedmkt/shared/use-cases/party-tokenizer.ts";
import {
  readHeldOutSet,
  readPromptSet,
  readQuestionSet,
  readSampleSet,
  type SampleLimits,
} from "@fedmkt/shared/use-cases/prepare-samples.ts";
import type { CommandContext } from "../command.ts";
import { dataSettings } from "./data-arguments.ts";
import { LOCAL_FILES } from "./with-local-model.ts";

/** Texts are cut to it unless told otherwise: a page, which fits most models' context in any tokenizer. */
const TEXT_BYTES = 1024;
/** BOS, and EOS or a space that the tokenizer puts before the text. */
const SPARE_TOKENS = 2;

/**
 * A data file's samples, as a run's private set is read. Texts are cut to what is sure to fit the model, since no token is less than
 * a byte; a prompt with its completion is limited by the model's context alone.
 *
 * @param shown - the file as it was given
 * @param sampleBytes - the limit for both, where one is given
 * @throws InvalidInputError what reading and preparing samples throws, `TOO_FEW_SAMPLES` where there are none
 */
export async function readTrainingSamples(
  context: Pick<CommandContext, "args" | "io">,
  shown: string,
  model: string,
  sampleBytes: number | undefined,
): Promise<Sample[]> {
  const limits = sampleBytes ?? (await limitsOf(model));
  return readSampleSet(LOCAL_FILES, dataSettings(context, shown), limits, "data");
}

/** As {@link readTrainingSamples}, but as a held-out set is read: a sample that stands there twice counts once. */
export async function readScoredSamples(
  context: Pick<CommandContext, "args" | "io">,
  shown: string,
  model: string,
  sampleBytes: number | undefined,
): Promise<Sample[]> {
  const limits = sampleBytes ?? (await limitsOf(model));
  return readHeldOutSet(LOCAL_FILES, dataSettings(context, shown), limits, "data");
}

/** Prompts to be answered, with all that a right answer may be; otherwise as {@link readScoredSamples}. @throws InvalidInputError `NOT_A_PROMPT` */
export async function readPrompts(
  context: Pick<CommandContext, "args" | "io">,
  shown: string,
  model: string,
  sampleBytes: number | undefined,
): Promise<Sample[]> {
  const limits = sampleBytes ?? (await limitsOf(model));
  return readPromptSet(LOCAL_FILES, dataSettings(context, shown), limits, "data");
}

/** Multiple-choice questions, limited by the model's context unless a limit is given. */
export async function readQuestions(
  context: Pick<CommandContext, "args" | "io">,
  shown: string,
  sampleBytes = Number.POSITIVE_INFINITY,
): Promise<MultipleChoice[]> {
  return readQuestionSet(LOCAL_FILES, dataSettings(context, shown), sampleBytes, "data");
}

async function limitsOf(model: string): Promise<SampleLimits> {
  return {
    textBytes: Math.min(TEXT_BYTES, (await contextOf(model)) - SPARE_TOKENS),
    completionBytes: Number.POSITIVE_INFINITY,
  };
}

async function contextOf(model: string): Promise<number> {
  const config = `${model}/config.json`;
  return parseModelConfig(await LOCAL_FILES.material.read(config, MAX_CONFIG_BYTES), config).contextTokens;
}

/** SHA-256 of all that a training is made of, by name; "none" where there is none. */
export async function identifyFiles(
  model: string,
  parts: Readonly<Record<string, readonly Sample[] | Uint8Array | undefined>>,
): Promise<Record<string, string>> {
  const { material } = LOCAL_FILES;
  const hashOf = (part: (typeof parts)[string]) => {
    if (part === undefined || part.length === 0) return "none";
    return sha256(part instanceof Uint8Array ? part : writeSamples(part as readonly Sample[]));
  };
  return {
    "config.json": sha256(await material.read(`${model}/config.json`, MAX_CONFIG_BYTES)),
    "tokenizer.json": sha256(await material.read(`${model}/tokenizer.json`, MAX_TOKENIZER_BYTES)),
    weights: await material.fingerprint(model),
    ...Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, hashOf(part)])),
  };
}
