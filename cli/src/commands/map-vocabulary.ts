import { statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { FileMaterial } from "@fedmkt/shared/adapters/material/file-material.ts";
import { mapVocabulary } from "@fedmkt/shared/core/alignment/vocabulary-map.ts";
import { InvalidInputError, TransientError } from "@fedmkt/shared/core/errors.ts";
import { MAPPED, type VocabularyMap } from "@fedmkt/shared/core/knowledge.ts";
import { MAX_SHARD_BYTES, readKnowledgeShard } from "@fedmkt/shared/formats/knowledge-shard.ts";
import { writeVocabularyMap } from "@fedmkt/shared/formats/vocabulary-map.ts";
import { writeVocabularyMapJson } from "@fedmkt/shared/formats/vocabulary-map-json.ts";
import type { Tokenizer } from "@fedmkt/shared/ports/tokenizer.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import { giveTurn } from "../give-turn.ts";
import { writeWhole } from "../large-file.ts";
import { STOPPED } from "../model/with-local-model.ts";
import { showTask } from "../progress/show-task.ts";
import { readTokenizer } from "../read-tokenizer.ts";

const RULES = ["product", "min-edit", "reference"] as const satisfies readonly VocabularyMap["rule"][];
const KINDS = Object.keys(MAPPED) as (keyof typeof MAPPED)[];

export const command: Command = {
  meta: { name: "map-vocabulary", description: "map one tokenizer's tokens to another's, each to one token" },
  args: {
    source: {
      type: "string",
      required: true,
      valueHint: "file",
      description: "the tokenizer.json to map from, or a model's folder",
    },
    target: {
      type: "string",
      required: true,
      valueHint: "file",
      description: "the tokenizer.json to map to, or a model's folder",
    },
    rule: {
      type: "enum",
      options: [...RULES],
      description: "product (default), the paper's min-edit, or FATE-LLM's reference",
    },
    full: { type: "boolean", description: "map every token (default, unless --shard is given)" },
    shard: {
      type: "string",
      valueHint: "file",
      description: "map only the tokens that this knowledge shard of the source speaks of; may be given several times",
    },
    out: {
      type: "string",
      required: true,
      valueHint: "file",
      description: "where the map goes; JSON where the name ends in .json, else safetensors",
    },
    ...JSON_ARGUMENT,
  },
  repeatable: ["shard"],
  examples: [
    "fedmkt map-vocabulary --source gpt2.json --target mistral.json --out map.safetensors",
    "fedmkt map-vocabulary --source gpt2.json --target mistral.json --rule reference --full --out map.json --json",
    "fedmkt map-vocabulary --source gpt2.json --target mistral.json --shard knowledge/shard-00000.safetensors --out map.json",
  ],
  async run(context): Promise<Outcome> {
    const { args, io, dependencies } = context;
    const out = args.out as string;
    const file = resolve(io.cwd, out);
    requirePlace(file, out);
    const source = await readTokenizer(context, args.source as string);
    const target = await readTokenizer(context, args.target as string);
    const only = await readShards(context, source);
    const rule = (args.rule ?? "product") as VocabularyMap["rule"];
    const display = showTask({ io, json: args.json === true, clockMs: dependencies.clockMs });
    const beganMs = dependencies.clockMs();
    let map: VocabularyMap;
    try {
      const report = (done: number, of: number) => display.take({ phase: "mapping", done, of, unit: "tokens" });
      map = mapVocabulary(source.vocabulary, target.vocabulary, rule, { only, report });
    } finally {
      display.end();
    }
    const mapSeconds = (dependencies.clockMs() - beganMs) / 1000;
    // mapping waits for nothing, so only now is it known whether somebody has pressed Ctrl-C
    await giveTurn();
    if (io.signal.aborted)
      throw new TransientError(STOPPED, "fedmkt map-vocabulary: stopped by hand; nothing is written");
    const bytes = out.endsWith(".json")
      ? writeVocabularyMapJson({ ...map, source: nameOf(source, args.source), target: nameOf(target, args.target) })
      : writeVocabularyMap(map, { sourceTokenizerHash: source.hash, targetTokenizerHash: target.hash });
    writeWhole(file, bytes);
    const kinds = Object.fromEntries(
      KINDS.map((kind) => [kind, map.kind.reduce((sum, value) => sum + (value === MAPPED[kind] ? 1 : 0), 0)]),
    );
    return {
      data: {
        mapSeconds,
        file,
        bytes: bytes.length,
        rule,
        full: only === undefined,
        sourceTokens: map.targetOfSource.length,
        targetTokens: map.groupOfTarget.length,
        ...kinds,
      },
      text: `${out}: ${count(map.targetOfSource.length - kinds.nowhere, "token")} of ${map.targetOfSource.length} mapped in ${mapSeconds.toFixed(2)} s (${KINDS.map((kind) => `${kind} ${kinds[kind]}`).join(", ")}), ${formatBytes(bytes.length)}`,
    };
  },
};

/** Looked at before anything is computed for it. */
function requirePlace(file: string, shown: string): void {
  const isFolder = (place: string) => statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
  const refuse = (reason: string) =>
    new InvalidInputError("BAD_ARGUMENT", `fedmkt map-vocabulary: --out: expected a file, ${reason}`);
  if (isFolder(file)) throw refuse(`${shown} is a folder`);
  if (!isFolder(dirname(file))) throw refuse(`there is no folder ${dirname(shown)} to put ${basename(shown)} in`);
}

/** The source tokens that the shards' entries name; undefined where every token is to be mapped. */
async function readShards({ args, io }: CommandContext, source: Tokenizer): Promise<ReadonlySet<number> | undefined> {
  if (args.shard === undefined) return undefined;
  if (args.full === true)
    throw new InvalidInputError("BAD_ARGUMENT", "fedmkt map-vocabulary: give one of --full and --shard");
  const only = new Set<number>();
  for (const shard of (args.shard as string).split(",")) {
    const bytes = await new FileMaterial().read(resolve(io.cwd, shard), MAX_SHARD_BYTES);
    const { header, knowledge } = readKnowledgeShard(bytes, shard, {});
    if (header.tokenizerHash !== source.hash)
      throw new InvalidInputError(
        "SHARD_MISMATCH",
        `${shard}: expected tokens of --source, whose SHA-256 is ${source.hash}, got those of another tokenizer, ${header.tokenizerHash}`,
      );
    for (const id of knowledge.topIds) only.add(id);
  }
  return only;
}

function nameOf({ hash }: Tokenizer, file: unknown): string {
  return `${file} (SHA-256 ${hash})`;
}
