import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { encodeJson } from "@fedmkt/shared/contracts/json-document.ts";
import { shardName } from "@fedmkt/shared/contracts/keys.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { bitsPerByte } from "@fedmkt/shared/core/numeric/bits-per-byte.ts";
import { SHARD_ENCODINGS, type ShardEncoding } from "@fedmkt/shared/formats/knowledge-shard.ts";
import { writeSamples } from "@fedmkt/shared/formats/samples.ts";
import { sha256 } from "@fedmkt/shared/formats/sha256.ts";
import { formatBytes, formatValue } from "@fedmkt/shared/report/table.ts";
import { extractShards, type ShardExtraction } from "@fedmkt/shared/use-cases/extract-shards.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import { writeWhole } from "../large-file.ts";
import { DATA_ARGUMENTS } from "../model/data-arguments.ts";
import {
  BATCH_ARGUMENT,
  MODEL_ARGUMENTS,
  readBatchSize,
  readDevice,
  readSampleBytes,
  readThreads,
  readWhole,
  SAMPLE_ARGUMENT,
} from "../model/model-arguments.ts";
import { identifyFiles, readScoredSamples } from "../model/read-local-data.ts";
import { readOnly, requireModelFolder, withLocalModel } from "../model/with-local-model.ts";
import { readNumber } from "../number-argument.ts";
import { showTask } from "../progress/show-task.ts";

/** As run.yaml's distillation.topK and samplesPerShard. */
const TOP_K = { least: 1, most: 4096, otherwise: 128 };
const TOP_P = { least: 1e-6, most: 1, whole: false };
const TOP_PERPLEXITY = { least: 1e-6, most: 4096, whole: false };
const SAMPLES_PER_SHARD = { least: 1, most: 65_536, otherwise: 64 };

export const command: Command = {
  meta: {
    name: "extract",
    description: "write what one model knows about data: its likeliest next tokens, as knowledge shards",
  },
  args: {
    ...MODEL_ARGUMENTS,
    ...DATA_ARGUMENTS,
    data: { type: "string", required: true, valueHint: "file", description: "the samples: docs/data.md" },
    out: {
      type: "string",
      required: true,
      valueHint: "folder",
      description: "new or empty; shard-00000.safetensors and so on",
    },
    "top-k": {
      type: "string",
      valueHint: "n",
      description: `entries kept at each position (default: ${TOP_K.otherwise})`,
    },
    "top-p": {
      type: "string",
      valueHint: "p",
      description: "of these no more than it takes for their mass to reach this (default: 1, all)",
    },
    "top-perplexity": {
      type: "string",
      valueHint: "factor",
      description:
        "of these no more than so many times exp(entropy) of the position, rounded up (default: no such limit)",
    },
    encoding: {
      type: "enum",
      options: [...SHARD_ENCODINGS],
      description: "packed (default): entropy-coded, log-probabilities rounded; plain: tensors as they are",
    },
    positions: {
      type: "enum",
      options: ["answer", "all"],
      description: "where: at the answer's tokens (default), or at the prompt's too",
    },
    "samples-per-shard": {
      type: "string",
      valueHint: "n",
      description: `memory is bounded by a shard (default: ${SAMPLES_PER_SHARD.otherwise})`,
    },
    ...BATCH_ARGUMENT,
    ...SAMPLE_ARGUMENT,
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt extract models/smollm2 --data public.jsonl --out knowledge --top-k 128",
    "fedmkt extract models/smollm2 --adapter adapters/first --data public.jsonl --out knowledge --positions all",
  ],
  async run(context): Promise<Outcome> {
    const { args, io, dependencies } = context;
    const model = readOnly(context);
    const batchSize = readBatchSize("extract", args);
    const samplesPerShard = readWhole("extract", args, "samples-per-shard", SAMPLES_PER_SHARD);
    const topK = readWhole("extract", args, "top-k", TOP_K);
    const topP = readNumber("fedmkt extract: --top-p", (args["top-p"] as string | undefined) ?? "1", TOP_P);
    const perplexity = args["top-perplexity"] as string | undefined;
    const limit = perplexity !== undefined && {
      topPerplexity: readNumber("fedmkt extract: --top-perplexity", perplexity, TOP_PERPLEXITY),
    };
    const encoding = (args.encoding ?? "packed") as ShardEncoding;
    const options = { ...model, device: readDevice(args), threads: readThreads("extract", args) };
    const positions = (args.positions ?? "answer") as ShardExtraction["positions"];
    const folder = resolve(io.cwd, args.out as string);
    refuseUsed(folder, args.out as string);
    await requireModelFolder(model.model, args.model as string);
    const samples = await readScoredSamples(
      context,
      args.data as string,
      model.model,
      readSampleBytes("extract", args),
    );
    const identity = await identifyFiles(model.model, { adapter: model.adapter ?? undefined });
    const shards = Math.ceil(samples.length / samplesPerShard);
    const display = showTask({ io, json: args.json === true, clockMs: dependencies.clockMs });
    const written: string[] = [];
    const write = (name: string, bytes: Uint8Array) => {
      mkdirSync(folder, { recursive: true });
      written.push(join(folder, name));
      writeWhole(join(folder, name), bytes);
    };
    try {
      const { nats, bytes, knowledgeBytes } = await withLocalModel(context, options, (open) =>
        extractShards(open, samples, {
          samplesPerShard,
          topK,
          topP,
          ...limit,
          encoding,
          batchSize,
          positions,
          header: {
            run: "extract",
            round: 0,
            party: "local",
            modelHash: sha256(`${identity["config.json"]} ${identity.weights}`),
            tokenizerHash: identity["tokenizer.json"],
            datasetHash: sha256(writeSamples(samples)),
          },
          write: async (shard, content) => {
            write(`${shardName(shard)}.safetensors`, content);
            display.take({ phase: "extracting", done: shard + 1, of: shards, unit: "shards" });
          },
        }),
      );
      const facts = {
        samples: samples.length,
        shards,
        topK,
        topP,
        ...limit,
        encoding,
        positions,
        knowledgeBytes,
        bitsPerByte: bitsPerByte(nats, bytes),
      };
      write("extraction.json", encodeJson({ version: 1, ...facts, origin: identity }));
      return {
        data: { folder, ...facts },
        text: `${args.out}: ${count(samples.length, "sample")} in ${count(shards, "shard")}, ${formatBytes(knowledgeBytes)}; ${formatValue(facts.bitsPerByte)} bits/byte`,
      };
    } catch (error) {
      // half an extraction would be taken for a whole one
      for (const file of written) rmSync(file, { force: true });
      throw error;
    } finally {
      display.end();
    }
  },
};

function refuseUsed(folder: string, shown: string): void {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory())
    throw new InvalidInputError("BAD_ARGUMENT", `fedmkt extract: --out: expected a folder, ${shown} is a file`);
  const [first] = readdirSync(folder);
  if (first !== undefined)
    throw new InvalidInputError("FOLDER_IN_USE", `${shown}: expected a new or empty folder, got one with ${first}`);
}
