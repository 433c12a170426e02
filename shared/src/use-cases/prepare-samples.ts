import type { Plan } from "../contracts/plan.ts";
import type { DataSpec } from "../contracts/run-spec.ts";
import { InvalidInputError, invariant } from "../core/errors.ts";
import { type MultipleChoice, prepareQuestions, rightAnswer } from "../core/samples/multiple-choice.ts";
import { dropDuplicateSamples, prepareSamples } from "../core/samples/prepare-samples.ts";
import type { Sample } from "../core/samples/sample.ts";
import { parseDataset } from "../formats/dataset.ts";
import { hashSample } from "../formats/samples.ts";
import { openChatTemplate, readChatRows } from "./chat-rows.ts";
import type { StageDependencies } from "./dependencies.ts";
import { MAX_TOKENIZER_BYTES } from "./party-tokenizer.ts";
import { MAX_SET_BYTES } from "./public-set.ts";
import { readTemplatedRows } from "./templated-rows.ts";

type DataDependencies = Pick<StageDependencies, "material" | "openTokenizer" | "openTemplate">;

/** The longest sample: of texts, which are cut to it, and of prompts with their completions, which are never cut. */
export interface SampleLimits {
  textBytes: number;
  completionBytes: number;
}

/**
 * Reads one data set and cuts it into samples as its spec says. Done before any tokenizer sees the text, so that every party
 * gets the same bytes.
 * @param what - whose data it is, such as "client harbour: private"; named in every error
 */
export async function readSampleSet(
  deps: DataDependencies,
  data: DataSpec,
  sampleBytes: number | SampleLimits,
  what: string,
): Promise<Sample[]> {
  const samples = await readWithReferences(deps, data, sampleBytes, what);
  return samples.map(({ references: _, ...sample }) => sample);
}

/** As {@link readSampleSet}, with the further answers that generated ones are held against; nobody else needs to have them. */
async function readWithReferences(
  deps: DataDependencies,
  data: DataSpec,
  sampleBytes: number | SampleLimits,
  what: string,
): Promise<Sample[]> {
  const { records: given, preparation, name } = await readRecords(deps, data, what);
  // a raw set's questions are learned by their right answers; a file that says itself what is asked is for evaluation
  const isRaw = data.template !== undefined;
  const records = given.map((record) => (isRaw && record.kind === "choice" ? rightAnswer(record) : record));
  const limit =
    typeof sampleBytes === "number" ? { textBytes: sampleBytes, completionBytes: sampleBytes } : sampleBytes;
  // one file holds one kind
  const longest = records[0]?.kind === "text" ? limit.textBytes : limit.completionBytes;
  return prepareSamples(records, { ...preparation, sampleBytes: longest }, hashSample, name);
}

/** A client's private set, cut as the plan says; read where it lies, by its owner. */
export function readPrivateSet(deps: DataDependencies, plan: Plan, party: string): Promise<Sample[]> {
  const client = plan.spec.clients.find(({ id }) => id === party);
  invariant(client, "PARTY_UNKNOWN", `run ${plan.run}: ${party} is no client, so it has no private set`);
  return readSampleSet(deps, client.private, plan.spec.sampleBytes, `client ${party}: private`);
}

/** Reads a held-out set: a text that stands in it twice is scored once. */
export async function readHeldOutSet(
  deps: DataDependencies,
  data: DataSpec,
  sampleBytes: number | SampleLimits,
  what: string,
): Promise<Sample[]> {
  return dropDuplicateSamples(await readSampleSet(deps, data, sampleBytes, what)).samples;
}

/**
 * Reads a set of prompts that are answered, with the answers that are looked for: a prompt that stands in it twice with the same
 * first answer is asked once.
 * @throws InvalidInputError `NOT_A_PROMPT` where it holds texts
 */
export async function readPromptSet(
  deps: DataDependencies,
  data: DataSpec,
  sampleBytes: number | SampleLimits,
  what: string,
): Promise<Sample[]> {
  const { samples } = dropDuplicateSamples(await readWithReferences(deps, data, sampleBytes, what));
  if (samples[0].kind === "text")
    throw new InvalidInputError(
      "NOT_A_PROMPT",
      `${what}: ${data.path}: expected prompts with their completions, got texts`,
    );
  return samples;
}

/** Reads a multiple-choice set: cleaned as texts are, never cut. */
export async function readQuestionSet(
  deps: DataDependencies,
  data: DataSpec,
  sampleBytes: number,
  what: string,
): Promise<MultipleChoice[]> {
  const { records, preparation, name } = await readRecords(deps, data, what);
  return prepareQuestions(records, { ...preparation, sampleBytes }, name);
}

async function readRecords(deps: DataDependencies, data: DataSpec, what: string) {
  const name = `${what}: ${data.path}`;
  const bytes = await deps.material.read(data.path, MAX_SET_BYTES);
  const { keepCharactersOf, template, chatTemplate } = data;
  const keepCharacters = keepCharactersOf === undefined ? undefined : await charactersOf(deps, keepCharactersOf, what);
  const records =
    chatTemplate !== undefined
      ? readChatRows(await openChatTemplate(deps, chatTemplate, what), bytes, { ...data, keepCharacters }, name)
      : template !== undefined
        ? readTemplatedRows(deps.openTemplate, template, bytes, name)
        : parseDataset(bytes, name);
  return { name, records, preparation: { ...data, keepCharacters } };
}

/**
 * The characters that a tokenizer writes in whole characters, not in bytes nor as unknown; the space; and white space of every kind where it
 * writes none at all.
 */
async function charactersOf(deps: DataDependencies, path: string, what: string): Promise<Pick<Set<string>, "has">> {
  const json = await deps.material.read(path, MAX_TOKENIZER_BYTES);
  const tokenizer = deps.openTokenizer(json, new TextEncoder().encode("{}"), `${what}: ${path}`);
  const { tokens } = tokenizer.vocabulary;
  const decoder = new TextDecoder();
  const known = new Map<string, boolean>([[" ", true]]);
  const dropsSpace = !writes(" ");
  return {
    has(character) {
      let kept = known.get(character);
      if (kept === undefined) {
        kept = writes(character) || (dropsSpace && /\s/u.test(character));
        known.set(character, kept);
      }
      return kept;
    },
  };

  function writes(character: string): boolean {
    try {
      return tokenizer.encode(character).ids.every((id) => {
        const bytes = tokens[id];
        return bytes !== null && !decoder.decode(bytes).includes("\ufffd");
      });
    } catch (error) {
      if (error instanceof InvalidInputError) return false;
      throw error;
    }
  }
}
