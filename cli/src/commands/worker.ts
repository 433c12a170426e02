import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { parseJson } from "@fedmkt/shared/contracts/json-document.ts";
import { type SiteFile, siteFile } from "@fedmkt/shared/contracts/site-file.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { readClientName } from "../cloud/environment-argument.ts";
import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { count } from "../count.ts";
import type { Io } from "../io.ts";
import { showProgress } from "../progress/show-progress.ts";

/** The file has some 1 KiB. */
const MAX_SITE_FILE_BYTES = 64 * 1024;

export const command: Command = {
  meta: {
    name: "worker",
    description: "do a client's jobs on this machine, with data that stay on it; it only calls out, by HTTPS",
  },
  args: {
    client: { type: "string", required: true, valueHint: "id", description: "the client that this machine works for" },
    config: {
      type: "string",
      required: true,
      valueHint: "file",
      description: "what fedmkt clients add wrote: <id>.fedmkt.json",
    },
    data: {
      type: "string",
      required: true,
      valueHint: "folder",
      description: "the private data; the spec's paths start here, and nothing else of the machine is read",
    },
    device: { type: "enum", options: ["cpu", "cuda"], description: "what to compute on (default: cpu)" },
    once: { type: "boolean", description: "leave once the queue is empty" },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt worker --client ward --config ward.fedmkt.json --data /srv/ward"],
  async run({ args, io, dependencies }): Promise<Outcome> {
    const client = readClientName("worker", "--client", args.client as string);
    const site = readSiteFile(args.config as string, client, io);
    const dataFolder = readDataFolder(args.data as string, io);
    io.stderr.write(
      `${client} works for account ${site.account}, region ${site.region}, as ${site.roleArn}; data below ${dataFolder}; Ctrl-C leaves\n`,
    );
    const display = showProgress(io, null, dependencies.clockMs);
    let jobs = 0;
    let failed = 0;
    let putDown = 0;
    const onLog = (level: "info" | "warn" | "error", message: string, facts: Readonly<Record<string, unknown>>) => {
      if (message === "job done") jobs++;
      if (message === "job failed") failed++;
      if (message.startsWith("job put down")) putDown++;
      if (level === "info" && !message.startsWith("worker ")) return; // a job's progress says it
      display.end();
      io.stderr.write(`${describe(message, facts)}\n`);
    };
    try {
      await dependencies.runWorker({
        site,
        dataFolder,
        device: (args.device as "cpu" | "cuda" | undefined) ?? "cpu",
        once: args.once === true,
        signal: io.signal,
        onProgress: (progress) => display.take({ kind: "progress", progress }),
        onLog,
      });
    } finally {
      display.end();
    }
    return {
      data: { client, jobs, failed, putDown, stopped: io.signal.aborted },
      text: `${client}: ${count(jobs, "job")} done, ${failed} failed${putDown > 0 ? "; what was under way is back in the queue" : ""}`,
    };
  },
};

/** @throws InvalidInputError `FILE_MISSING`, `FILE_TOO_LARGE`, `DOCUMENT_INVALID`, `BAD_ARGUMENT` where it is another client's */
function readSiteFile(given: string, client: string, io: Pick<Io, "cwd">): SiteFile {
  const file = resolve(io.cwd, given);
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile())
    throw new InvalidInputError(
      "FILE_MISSING",
      `${given}: expected <id>.fedmkt.json of fedmkt clients add, found none`,
    );
  if (stats.size > MAX_SITE_FILE_BYTES)
    throw new InvalidInputError(
      "FILE_TOO_LARGE",
      `${given}: expected at most ${MAX_SITE_FILE_BYTES} bytes, it has ${stats.size}`,
    );
  const site = parseJson(readFileSync(file), given, siteFile);
  if (site.client !== client)
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt worker: ${given} is of client ${site.client}, not of ${client}`,
    );
  return site;
}

function readDataFolder(given: string, io: Pick<Io, "cwd">): string {
  const folder = resolve(io.cwd, given);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  throw new InvalidInputError("FILE_MISSING", `${given}: expected the folder with the private data, found none`);
}

/** `job failed: run=… (CODE: message)` */
function describe(message: string, facts: Readonly<Record<string, unknown>>): string {
  const { error, code, ...rest } = facts;
  const said = error instanceof Error ? error.message : undefined;
  const members = Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`);
  const failure = said === undefined ? "" : ` (${code === undefined ? "" : `${String(code)}: `}${said})`;
  return `${[message, ...members].join(" ")}${failure}`;
}
