import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeModel, type Recipe } from "./make-model.ts";
import {
  asChoices,
  asCompletion,
  asText,
  drawQuestions,
  partQuestions,
  type QuestionCounts,
  type QuestionPools,
  readQuestions,
  TASKS,
  type Task,
} from "./questions.ts";
import { DOMAIN_NAMES, type Domain, readDomains } from "./texts.ts";

/** 400 questions a federation learns from, 80 of them public. */
const COUNTS: QuestionCounts = { training: 200, heldOut: 200, clients: 2 };
/** Holds the longest question in single bytes. */
const CONTEXT_TOKENS = 512;
/** Of each domain's text. */
const TEXTS_READ = 1000;
const IDENTITY = "identity.txt";

/** The clients' models: about 1.1 and 0.7 M parameters, of two tokenizers, and of different reading beside the tasks' questions. */
const CLIENTS: Record<string, { recipe: Recipe; domains: readonly Domain[] }> = {
  broad: {
    recipe: {
      vocabularySize: 2048,
      model: { hiddenSize: 128, intermediateSize: 352, layers: 4, heads: 4, keyValueHeads: 4 },
      contextTokens: CONTEXT_TOKENS,
      learningRate: 0.002,
      epochs: 3,
    },
    domains: DOMAIN_NAMES,
  },
  narrow: {
    recipe: {
      vocabularySize: 1536,
      model: { hiddenSize: 112, intermediateSize: 304, layers: 3, heads: 4, keyValueHeads: 4 },
      contextTokens: CONTEXT_TOKENS,
      learningRate: 0.002,
      epochs: 3,
    },
    domains: ["tinystories", "wikitext"],
  },
};

/**
 * Makes what the experiment on questions needs and the folder lacks: the clients' models, under `models/questions`, pretrained on
 * questions that no federation draws, and each seed's sets, under `questions/SEED`.
 *
 * @param material - where questions and texts lie
 * @throws Error where the folder holds sets of other questions
 */
export async function prepareQuestions(folder: string, material: string, seeds: readonly number[]): Promise<void> {
  const questions = readQuestions(material);
  const pools = Object.fromEntries(TASKS.map((task) => [task, partQuestions(questions[task])])) as Record<
    Task,
    QuestionPools
  >;
  for (const seed of seeds) writeSeed(join(folder, "questions", String(seed)), pools, seed);
  const texts = await readDomains(material);
  const asked = TASKS.flatMap((task) => pools[task].pretraining).map(asText);
  for (const [name, { recipe, domains }] of Object.entries(CLIENTS)) {
    const read = domains.flatMap((domain) => texts[domain].pretraining.slice(0, TEXTS_READ));
    await makeModel(join(folder, "models/questions", name), name, recipe, [...read, ...asked]);
  }
}

function writeSeed(folder: string, pools: Record<Task, QuestionPools>, seed: number): void {
  const draw = drawQuestions(pools, seed, COUNTS);
  const identity = createHash("sha256").update(JSON.stringify(draw)).digest("hex");
  const marker = join(folder, IDENTITY);
  if (existsSync(marker) && readFileSync(marker, "utf8") !== identity)
    throw new Error(`${folder}: expected this seed's questions, found others; remove the cache`);
  mkdirSync(folder, { recursive: true });
  const write = (name: string, lines: readonly object[]) =>
    writeFileSync(join(folder, `${name}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  write("public", draw.public.map(asCompletion));
  for (const [index, name] of Object.keys(CLIENTS).entries())
    write(`private-${name}`, draw.private[index]!.map(asCompletion));
  for (const task of TASKS) {
    write(`heldout-${task}`, draw.heldOut[task].map(asCompletion));
    write(`choices-${task}`, draw.heldOut[task].map(asChoices));
  }
  writeFileSync(marker, identity);
}
