import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isInS3 } from "@fedmkt/shared/contracts/location.ts";
import type { DataSpec, EvaluationSet, RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { type RowSchema, type SyntheticKind, syntheticRows } from "./synthetic-rows.ts";
import { writeSmallModel } from "./write-small-model.ts";

/** Rows of a data set that is not there, and samples that are taken of one that is. */
const ROWS = { public: 8, private: 6, heldOut: 4 } as const;
/** Of a generated answer, at most. */
const ANSWER_TOKENS = 8;
/** Bytes and special tokens take 260 of them; every model has some more than the one before, so that vocabularies differ. */
const VOCABULARY = { least: 384, more: 32 } as const;
/** Tokens beside a sample's bytes: beginning, end, a space that a tokenizer writes. */
const CONTEXT_MARGIN = 64;
/** Of a file that is there, what a tokenizer is trained on. */
const TEXT_BYTES = 65_536;

/** A data set of the spec, and how it is used. */
interface UsedData {
  data: DataSpec;
  /** as file names have it: letters, digits, points and hyphens */
  name: string;
  rows: number;
  kind: SyntheticKind;
}

/**
 * The same run with random models of two small layers and a handful of samples, for seeing in seconds that it goes through. Models
 * keep their architecture and their tokenizers' kind; each needs its config.json alone. Data that are not there become synthetic
 * rows of the same schema; of those that are there a few samples are taken. One round, and else every setting as it was. The
 * same files for the same spec.
 *
 * @param spec - checked, its locations absolute
 * @param folder - where models and rows are written
 * @throws InvalidInputError `MODEL_FILE_MISSING`, `MODEL_CONFIG_INVALID`, `DRY_RUN_ROWS_UNKNOWN`
 */
export function shrinkSpec(spec: RunSpec, folder: string): RunSpec {
  const small = structuredClone(spec);
  small.rounds = 1;
  for (const client of small.clients) {
    client.joinsAtRound = 1;
    delete client.leavesAfterRound;
  }
  for (const set of small.evaluation)
    if (set.task === "generation") set.maxTokens = Math.min(set.maxTokens ?? ANSWER_TOKENS, ANSWER_TOKENS);
  const texts = replaceData(small, folder);
  const models = replaceModels(small, texts, folder);
  for (const { data } of usedData(small)) {
    const { keepCharactersOf: kept, chatTemplate } = data;
    if (kept !== undefined) {
      const tokenizer = smallTokenizer(kept, models) ?? (isHere(kept) ? kept : undefined);
      if (tokenizer === undefined) delete data.keepCharactersOf;
      else data.keepCharactersOf = tokenizer;
    }
    if (chatTemplate !== undefined && !isHere(chatTemplate)) data.chatTemplate = writeChatTemplate(folder);
  }
  return small;
}

/** A tokenizer_config.json with a chat template of no model. */
function writeChatTemplate(folder: string): string {
  const place = join(folder, "models", "tokenizer_config.json");
  const template =
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
  writeFileSync(place, `${JSON.stringify({ chat_template: template })}\n`);
  return place;
}

/** @returns texts of all data, in the order of the spec */
function replaceData(spec: RunSpec, folder: string): string[] {
  const texts: string[] = [];
  const written = new Map<string, string>();
  // a template of one's own reads the rows of the set that the spec speaks of otherwise
  const named = usedData(spec)
    .map(({ data, kind }) => schemaOf(data, kind))
    .find((schema) => schema !== null && "template" in schema);
  for (const { data, name, rows, kind } of usedData(spec)) {
    if (isHere(data.path)) {
      const text = readBeginning(data.path);
      texts.push(...text.split("\n"));
      const most = data.path.endsWith(".jsonl") ? Math.max(1, text.split("\n").length - 1) : 1;
      if (data.samples !== undefined) data.samples = Math.min(data.samples, rows);
      else if (data.from === undefined && data.every === undefined && most >= rows) data.samples = rows;
      continue;
    }
    const place = written.get(data.path) ?? join(folder, "data", `${name}.jsonl`);
    const schema = schemaOf(data, kind) ?? named ?? null;
    if (schema === null)
      throw new InvalidInputError(
        "DRY_RUN_ROWS_UNKNOWN",
        `${name}: ${data.path} is not there, and what its template reads of a row is not known; a dry run needs some rows there`,
      );
    const made = syntheticRows(schema, rows, `${spec.seed}/${name}`);
    texts.push(...made.flatMap(textsOf));
    if (!written.has(data.path)) {
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, made.map((row) => `${JSON.stringify(row)}\n`).join(""));
      written.set(data.path, place);
    }
    data.path = place;
    data.samples = rows;
    delete data.from;
    delete data.every;
  }
  return texts;
}

/** @returns small folder by the folder that it stands for */
function replaceModels(spec: RunSpec, texts: readonly string[], folder: string): Map<string, string> {
  const models = new Map<string, string>();
  for (const party of [spec.server, ...spec.clients]) {
    const known = models.get(party.model);
    if (known === undefined) {
      const what = `${party.model}/config.json`;
      if (!isHere(what))
        throw new InvalidInputError(
          "MODEL_FILE_MISSING",
          `${what}: expected the configuration of the model that a dry run's small one is to be like, found none`,
        );
      const index = models.size;
      const place = join(folder, "models", `${index + 1}-${basename(party.model)}`);
      writeSmallModel(place, {
        config: readFileSync(what),
        what,
        texts,
        vocabularySize: VOCABULARY.least + index * VOCABULARY.more,
        contextTokens: spec.sampleBytes + CONTEXT_MARGIN,
        seed: spec.seed + index,
      });
      models.set(party.model, place);
    }
    party.model = models.get(party.model)!;
  }
  return models;
}

function smallTokenizer(location: string, models: ReadonlyMap<string, string>): string | undefined {
  const small = models.get(dirname(location));
  return small && join(small, basename(location));
}

/** Every data set of a spec; the given objects, not copies. */
function usedData(spec: RunSpec): UsedData[] {
  const tasks = new Set(spec.evaluation.map(({ task }) => task));
  // what is trained on without a template is of the kind that is asked for
  const trained: SyntheticKind = spec.evaluation.length > 0 && !tasks.has("text") ? "completion" : "text";
  const used = (data: DataSpec, name: string, rows: number, kind: SyntheticKind): UsedData => ({
    data,
    name,
    rows,
    kind: data.chatTemplate === undefined ? kind : "chat",
  });
  return [
    ...spec.public.map((data, index) => used(data, `public-${index + 1}`, ROWS.public, trained)),
    ...spec.clients.map(({ id, private: data }) => used(data, `private-${id}`, ROWS.private, trained)),
    ...[{ ...spec.server, id: "server" }, ...spec.clients].flatMap(({ id, validation }) =>
      validation === undefined ? [] : [used(validation, `validation-${id}`, ROWS.heldOut, trained)],
    ),
    ...spec.evaluation.map(({ name, data, task }) => used(data, `held-out-${name}`, ROWS.heldOut, kindOf(task))),
  ];
}

function kindOf(task: EvaluationSet["task"]): SyntheticKind {
  if (task === "text") return "text";
  return task === "multiple-choice" ? "question" : "completion";
}

/** @returns null of a template of one's own */
function schemaOf({ template }: DataSpec, kind: SyntheticKind): RowSchema | null {
  if (template === undefined) return { kind };
  return typeof template === "string" ? { template } : null;
}

/** Every text of a row, however deep. */
function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

function isHere(location: string): boolean {
  return !isInS3(location) && existsSync(location);
}

function readBeginning(path: string): string {
  const buffer = Buffer.alloc(TEXT_BYTES);
  const file = openSync(path, "r");
  try {
    return buffer.toString("utf8", 0, readSync(file, buffer));
  } finally {
    closeSync(file);
  }
}
