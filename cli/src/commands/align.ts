import { statSync } from "node:fs";
import { resolve } from "node:path";
import { type AlignmentStrategy, alignSequences } from "@fedmkt/shared/core/alignment/sequence-alignment.ts";
import { tokenSpeller } from "@fedmkt/shared/core/alignment/token-strings.ts";
import { InvalidInputError, TransientError } from "@fedmkt/shared/core/errors.ts";
import type { RawRecord } from "@fedmkt/shared/core/samples/raw-record.ts";
import { recordParser } from "@fedmkt/shared/formats/dataset.ts";
import { MAX_LINE_BYTES, readJsonLines } from "@fedmkt/shared/formats/jsonl.ts";
import type { Tokenizer } from "@fedmkt/shared/ports/tokenizer.ts";
import { formatShare } from "@fedmkt/shared/report/table.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import { FileInPieces, readLinesInPieces } from "../file-pieces.ts";
import { giveTurn } from "../give-turn.ts";
import { STOPPED } from "../model/with-local-model.ts";
import { showTask } from "../progress/show-task.ts";
import { readTokenizer } from "../read-tokenizer.ts";

const KIB = 1024;
const NEWLINE = 0x0a;

export const command: Command = {
  meta: {
    name: "align",
    description: "say which tokens of two tokenizers belong together in texts",
  },
  args: {
    source: {
      type: "string",
      required: true,
      valueHint: "file",
      description: "tokenizer.json, or folder, of the model whose knowledge is translated",
    },
    target: {
      type: "string",
      required: true,
      valueHint: "file",
      description: "tokenizer.json, or folder, of the model that learns from it",
    },
    strategy: {
      type: "enum",
      options: ["byte-offset", "dtw", "greedy-dp"],
      description: "how (default: byte-offset): docs/method.md",
    },
    input: {
      type: "string",
      required: true,
      valueHint: "file",
      description: "texts as JSON Lines: docs/data.md",
    },
    out: { type: "string", required: true, valueHint: "file", description: "JSON Lines, a line a text" },
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt align --source gpt2.json --target mistral.json --input texts.jsonl --out aligned.jsonl",
    "fedmkt align --source a/tokenizer.json --target b/tokenizer.json --strategy dtw --input texts.jsonl --out aligned.jsonl --json",
  ],
  async run({ args, io, dependencies }): Promise<Outcome> {
    const strategy = (args.strategy ?? "byte-offset") as AlignmentStrategy;
    const [shown, out] = [args.input as string, args.out as string];
    const [input, file] = [resolve(io.cwd, shown), resolve(io.cwd, out)];
    const size = sizeOf(input, shown);
    // what is written stands in OUT.part until it is whole
    if (input === file || input === `${file}.part`)
      throw new InvalidInputError(
        "BAD_ARGUMENT",
        `fedmkt align: --out: expected another file than --input, got ${out}, which is written by way of ${out}.part`,
      );
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
      throw new InvalidInputError("BAD_ARGUMENT", `fedmkt align: --out: expected a file, ${out} is a folder`);
    const source = await readTokenizer({ io }, args.source as string);
    const target = await readTokenizer({ io }, args.target as string);
    const align = textAligner(strategy, source, target);
    const parse = recordParser(shown);
    const display = showTask({ io, json: args.json === true, clockMs: dependencies.clockMs });
    const written = new FileInPieces(file);
    const counts = { lines: 0, sourceTokens: 0, targetTokens: 0, alignedTargetTokens: 0 };
    try {
      const of = Math.ceil(size / KIB);
      const show = (done: number) => display.take({ phase: "aligning", done, of, unit: "KiB" });
      let read = 0;
      for (const piece of readLinesInPieces(input, MAX_LINE_BYTES)) {
        let end = 0;
        const limits = { maxLines: Number.POSITIVE_INFINITY, firstLine: counts.lines + 1 };
        for (const line of readJsonLines(piece, shown, limits)) {
          const aligned = atLine(`${shown}, line ${line.line}`, () => align(textOf(parse(line), shown)));
          written.write(`${JSON.stringify(aligned)}\n`);
          counts.lines++;
          counts.sourceTokens += aligned.sourceTokens.length;
          counts.targetTokens += aligned.targetTokens.length;
          for (const sources of aligned.sourcesOfTarget) if (sources.length > 0) counts.alignedTargetTokens++;
          const newline = piece.indexOf(NEWLINE, end);
          end = newline < 0 ? piece.length : newline + 1;
          show(Math.floor((read + end) / KIB));
          // a long text takes dtw seconds
          await giveTurn();
          if (io.signal.aborted) throw new TransientError(STOPPED, "fedmkt align: stopped by hand; nothing is written");
        }
        read += piece.length;
      }
      show(of);
      written.commit();
    } catch (error) {
      written.discard();
      throw error;
    } finally {
      display.end();
    }
    const alignedShare = counts.targetTokens === 0 ? 0 : counts.alignedTargetTokens / counts.targetTokens;
    return {
      data: { file, strategy, ...counts, alignedShare },
      text: `${out}: ${count(counts.lines, "text")}, ${count(counts.targetTokens, "target token")}${counts.targetTokens === 0 ? "" : `, of them ${formatShare(alignedShare)} aligned`}`,
    };
  },
};

interface AlignedText {
  sourceTokens: string[];
  targetTokens: string[];
  sourcesOfTarget: number[][];
}

/** Texts as the tokenizers write them, without special tokens. */
function textAligner(strategy: AlignmentStrategy, source: Tokenizer, target: Tokenizer): (text: string) => AlignedText {
  const spellSource = tokenSpeller(source.vocabulary, "");
  const spellTarget = tokenSpeller(target.vocabulary, "");
  return (text) => {
    const [from, to] = [source.encode(text), target.encode(text)];
    return {
      sourceTokens: namesOf(from.ids, source),
      targetTokens: namesOf(to.ids, target),
      sourcesOfTarget: alignSequences(
        strategy,
        { ends: from.ends, strings: Array.from(from.ids, spellSource) },
        { ends: to.ends, strings: Array.from(to.ids, spellTarget) },
      ),
    };
  };
}

function namesOf(ids: Int32Array, { vocabulary }: Tokenizer): string[] {
  return Array.from(ids, (id) => vocabulary.strings[id] ?? "");
}

function textOf(record: RawRecord, shown: string): string {
  if (record.kind === "text") return record.text;
  if (record.kind === "completion") return record.prompt + record.completion;
  throw new InvalidInputError(
    "DATASET_INVALID",
    `${shown}, line ${record.line}: expected a text, or a prompt with its completion, got a question with choices`,
  );
}

/** What a tokenizer or an alignment refuses is told with its line. */
function atLine<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InvalidInputError) || error.message.startsWith(place)) throw error;
    throw new InvalidInputError(error.code, `${place}: ${error.message}`, { cause: error });
  }
}

function sizeOf(file: string, shown: string): number {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile()) return found.size;
  throw new InvalidInputError(
    "FILE_MISSING",
    `fedmkt align: --input: expected a file, ${shown} is ${found === undefined ? "not there" : "none"}`,
  );
}
