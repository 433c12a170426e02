import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { closestName } from "@fedmkt/shared/contracts/closest-name.ts";
import { shardName } from "@fedmkt/shared/contracts/keys.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { formatValue } from "@fedmkt/shared/report/table.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import { inspectAdapter } from "../inspect/inspect-adapter.ts";
import { inspectFile } from "../inspect/inspect-file.ts";
import type { Inspection } from "../inspect/inspection.ts";
import { listRun } from "../inspect/list-run.ts";
import { type RunContents, readRunContents } from "../inspect/run-contents.ts";
import { tokenNames } from "../inspect/token-names.ts";
import { isAdapterFolder } from "../model/read-adapter.ts";
import { readRunState } from "../run-folder.ts";

export const command: Command = {
  meta: { name: "inspect", description: "list what a run holds, or show one thing of it, and check it" },
  args: {
    place: {
      type: "positional",
      required: true,
      description:
        "a run's folder; an adapter's; or a file: a knowledge shard, aligned shard, vocabulary map, model, plan, manifest",
    },
    name: {
      type: "positional",
      required: false,
      description: "one thing of the run's folder, by a name that the folder's list gives",
    },
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt inspect runs/quickstart",
    "fedmkt inspect runs/quickstart ward/round-1/client-train/knowledge/shard-00000",
    "fedmkt inspect runs/quickstart maps/ward--server",
    "fedmkt inspect runs/quickstart/adapters/server",
    "fedmkt inspect knowledge/shard-00000.safetensors",
  ],
  async run({ args, io }): Promise<Outcome> {
    const given = args.place as string;
    const name = args.name as string | undefined;
    const place = resolve(io.cwd, given);
    const isFolder = statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
    const run = isFolder ? (readRunState(place)?.run ?? null) : null;
    if (run !== null) {
      const contents = readRunContents(place, run);
      return name === undefined ? list(given, run, contents) : show(`${given} ${name}`, open(given, name, contents));
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
    return show(given, isFolder ? inspectAdapter(place, given) : inspectFile(place, given));
  },
};

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

function open(given: string, name: string, { plan, items }: RunContents): Inspection {
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
  return inspectFile(item.place, name, { nameToken: tokenNames(plan), pair: item.pair });
}

function show(what: string, inspection: Inspection): Outcome {
  const facts = Object.entries(inspection.facts);
  const width = Math.max(...facts.map(([name]) => name.length));
  // programs get every digit
  const round = (value: string | number) =>
    typeof value === "number" && !Number.isInteger(value) ? formatValue(value) : value;
  return {
    data: { file: what, ...inspection },
    text: [
      `${what}: ${inspection.kind}`,
      ...facts.map(([name, value]) => `  ${name.padEnd(width)}  ${round(value)}`),
      ...inspection.lines.map((line) => `  ${line}`),
    ].join("\n"),
  };
}
