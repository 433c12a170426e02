import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { closestName } from "@fedmkt/shared/contracts/closest-name.ts";
import { shardName } from "@fedmkt/shared/contracts/keys.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { formatValue } from "@fedmkt/shared/report/table.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import { inspectAdapter } from "../inspect/inspect-adapter.ts";
import { inspectFile } from "../inspect/inspect-file.ts";
import { shortened } from "../inspect/inspect-knowledge.ts";
import { VOCABULARY_MAP } from "../inspect/inspect-map.ts";
import { DEFAULT_LIMIT, type Fact, type Inspection, type InspectionContext } from "../inspect/inspection.ts";
import { listRun } from "../inspect/list-run.ts";
import { type RunContents, readRunContents } from "../inspect/run-contents.ts";
import { type NamedTokenizers, openNamedTokenizers, textsOfPlan } from "../inspect/token-texts.ts";
import { isAdapterFolder } from "../model/read-adapter.ts";
import { readNumber } from "../number-argument.ts";
import { readRunState } from "../run-folder.ts";

/** Of samples, positions and tokens; and of a list's items. */
const MOST_INDEX = 2 ** 31 - 1;
const MOST_ITEMS = 10_000;

export const command: Command = {
  meta: { name: "inspect", description: "list what a run holds, or show one thing of it, and check it" },
  args: {
    place: {
      type: "positional",
      required: true,
      description:
        "a run's folder; an adapter's; or a file: a knowledge shard, aligned shard, vocabulary map, alignment, model, plan, manifest",
    },
    name: {
      type: "positional",
      required: false,
      description: "one thing of the run's folder, by a name that the folder's list gives",
    },
    sample: {
      type: "string",
      valueHint: "n",
      description:
        "of a shard or an alignment: one sample in full, counted from 0; of a map: one source token by its id",
    },
    position: { type: "string", valueHint: "n", description: "of that sample: one position, with more of its entries" },
    limit: {
      type: "string",
      valueHint: "n",
      description: `most items of each list (default: ${DEFAULT_LIMIT})`,
    },
    tokenizer: {
      type: "string",
      valueHint: "place[,place]",
      description: "model folders or tokenizer.json files, for the tokens' texts; a run's folder knows its own",
    },
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt inspect runs/quickstart",
    "fedmkt inspect runs/quickstart ward/round-1/client-train/knowledge/shard-00000",
    "fedmkt inspect runs/quickstart maps/ward--server",
    "fedmkt inspect runs/quickstart/adapters/server",
    "fedmkt inspect knowledge/shard-00000.safetensors",
    "fedmkt inspect knowledge/shard-00000.safetensors --tokenizer models/smollm2 --sample 3 --limit 40",
  ],
  async run({ args, io }): Promise<Outcome> {
    const given = args.place as string;
    const name = args.name as string | undefined;
    const place = resolve(io.cwd, given);
    const isFolder = statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
    const asked = readAsked(args, io.cwd);
    const run = isFolder ? (readRunState(place)?.run ?? null) : null;
    if (run !== null) {
      const contents = readRunContents(place, run);
      return name === undefined
        ? list(given, run, contents)
        : show(`${given} ${name}`, open(given, name, contents, asked), asked);
    }
    if (name !== undefined)
      throw new InvalidInputError(
        "RUN_MISSING",
        `${given}: expected a run's folder before ${name}, there is no run.json`,
      );
    if (isFolder && !isAdapterFolder(place))
      throw new InvalidInputError(
        "FILE_UNKNOWN",
        `${given}: expected a run's folder (run.json), an adapter's (adapter_config.json) or a file, got another folder${cureOf(place, given)}`,
      );
    return show(given, isFolder ? inspectAdapter(place, given) : inspectFile(place, given, asked), asked);
  },
};

type Asked = InspectionContext & NamedTokenizers;

/** What the options ask for. @throws InvalidInputError `BAD_ARGUMENT`, and what a tokenizer's reader refuses */
function readAsked(args: CommandContext["args"], cwd: string): Asked {
  const read = (name: string, least: number, most: number) =>
    args[name] === undefined ? null : readNumber(`fedmkt inspect: --${name}`, args[name] as string, { least, most });
  const [sample, position] = [read("sample", 0, MOST_INDEX), read("position", 0, MOST_INDEX)];
  if (position !== null && sample === null)
    throw new InvalidInputError("BAD_ARGUMENT", "fedmkt inspect: --position: expected --sample with it, got none");
  const places = args.tokenizer === undefined ? [] : (args.tokenizer as string).split(",");
  return {
    sample,
    position,
    limit: read("limit", 1, MOST_ITEMS) ?? DEFAULT_LIMIT,
    ...openNamedTokenizers(places, cwd),
  };
}

/** Of a folder that fedmkt extract wrote: what to look at in it. */
function cureOf(folder: string, given: string): string {
  const shard = `${shardName(0)}.safetensors`;
  return existsSync(join(folder, shard)) ? `: look at its shards, as in fedmkt inspect ${join(given, shard)}` : "";
}

function list(given: string, run: string, { items }: RunContents): Outcome {
  return {
    data: { run, items: items.map(({ name, kind, place }) => ({ name, kind, place })) },
    text: [
      `run ${run} holds:`,
      ...listRun(items).map((line) => `  ${line}`),
      `fedmkt inspect ${given} NAME shows one; each job's manifest is there too, as NAME-OF-THE-JOB/manifest`,
    ].join("\n"),
  };
}

function open(given: string, name: string, { plan, items }: RunContents, asked: Asked): Inspection {
  const item = items.find((one) => one.name === name);
  if (item === undefined) {
    const close = closestName(
      name,
      items.map((one) => one.name),
    );
    const hint =
      close === null ? `fedmkt inspect ${given} lists ${count(items.length, "name")}` : `did you mean ${close}?`;
    throw new InvalidInputError("FILE_MISSING", `${given}: holds nothing named ${name}; ${hint}`);
  }
  if (item.kind.startsWith("LoRA adapter")) return inspectAdapter(item.place, name);
  const ofPlan = textsOfPlan(plan);
  const tokenText: InspectionContext["tokenText"] = (owner, id) => asked.tokenText(owner, id) ?? ofPlan(owner, id);
  return inspectFile(item.place, name, { ...asked, tokenText, pair: item.pair });
}

function show(what: string, inspection: Inspection, { sample, position, unused }: Asked): Outcome {
  if (sample !== null && inspection.details === undefined)
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt inspect: --sample: expected a shard, map or alignment, ${what} is of another kind: ${inspection.kind}`,
    );
  if (position !== null && inspection.kind === VOCABULARY_MAP)
    throw new InvalidInputError("BAD_ARGUMENT", `fedmkt inspect: --position: ${what} is a map, whose tokens have none`);
  const unusedTokenizers = unused().map(({ place, hash }) => ({ place, tokenizer: shortened(hash) }));
  const lines = [
    ...inspection.lines,
    ...unusedTokenizers.map(
      ({ place, tokenizer }) => `no token that is shown is of the tokenizer ${place} (${tokenizer})`,
    ),
  ];
  const facts = Object.entries(inspection.facts);
  const width = Math.max(...facts.map(([name]) => name.length));
  // programs get every digit
  const round = (value: Fact) => {
    if (typeof value === "object") return value.text;
    return typeof value === "number" && !Number.isInteger(value) ? formatValue(value) : value;
  };
  const whole = facts.map(([name, value]) => [name, typeof value === "object" ? value.value : value]);
  return {
    data: { file: what, ...inspection, facts: Object.fromEntries(whole), lines, unusedTokenizers },
    text: [
      `${what}: ${inspection.kind}`,
      ...facts.map(([name, value]) => `  ${name.padEnd(width)}  ${round(value)}`),
      ...lines.map((line) => `  ${line}`),
    ].join("\n"),
  };
}
