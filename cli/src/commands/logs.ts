import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { ENVIRONMENT_ARGUMENT, openDeployment, readName } from "../cloud/environment-argument.ts";
import { readCloudRun, requireRun } from "../cloud/read-run.ts";
import { describeLogLine, isMetric, RunLog, type RunLogLine } from "../cloud/run-log.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";

const POLL_MS = 3000;
const UNITS_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const command: Command = {
  meta: { name: "logs", description: "what a run's functions and workers in the cloud say" },
  args: {
    run: { type: "positional", required: true, description: "the run's name" },
    ...ENVIRONMENT_ARGUMENT,
    follow: { type: "boolean", alias: "f", description: "go on until the run has ended" },
    party: { type: "string", valueHint: "id", description: "only what is about one party" },
    since: {
      type: "string",
      valueHint: "15m|2h|1d|time",
      description: "only what is younger (default: since the run began)",
    },
    raw: { type: "boolean", description: "lines as they were written, one JSON record each" },
    ...JSON_ARGUMENT,
  },
  examples: ["fedmkt logs my-run -f", "fedmkt logs my-run --party ward --since 2h", "fedmkt logs my-run --raw"],
  async run(context): Promise<Outcome> {
    const { args, io, dependencies } = context;
    const run = readName("logs", "RUN", args.run as string);
    if (args.follow === true && args.json === true)
      throw new InvalidInputError("BAD_ARGUMENT", "fedmkt logs: --json is one envelope at the end; follow with --raw");
    const since = args.since as string | undefined;
    const given = since === undefined ? null : readSince(since, dependencies.nowMs());
    const cloud = await openDeployment(context);
    const { startedMs } = await requireRun(cloud, run);
    const log = new RunLog(cloud, run, given ?? startedMs ?? 0);
    const party = args.party as string | undefined;
    const isWanted = (line: RunLogLine) =>
      (party === undefined || line.parties.includes(party)) && (args.raw === true || !isMetric(line));
    const next = async () => (await log.next()).filter(isWanted);
    const show = ({ text, ...line }: RunLogLine) => (args.raw === true ? text : describeLogLine({ text, ...line }));
    if (args.follow !== true) {
      const lines = await next();
      return {
        data: lines.map(({ atMs, source, text }) => ({ atMs, source, text })),
        text: lines.map(show).join("\n"),
      };
    }
    await follow(context, cloud, run, async () => {
      for (const line of await next()) io.stdout.write(`${show(line)}\n`);
    });
    return { data: null, text: "" };
  },
};

/** Once more after the end: the last lines come some seconds late. */
async function follow(
  { io, dependencies }: CommandContext,
  cloud: Cloud,
  run: string,
  look: () => Promise<void>,
): Promise<void> {
  while (!io.signal.aborted) {
    const standing = (await readCloudRun(cloud, run))?.standing;
    await look();
    if (standing !== "running" && standing !== "waiting") {
      await dependencies.wait(POLL_MS, io.signal);
      await look();
      return;
    }
    await dependencies.wait(POLL_MS, io.signal);
  }
}

/** `15m` ago, or a point in time. @throws InvalidInputError `BAD_ARGUMENT` */
function readSince(text: string, nowMs: number): number {
  const [, number, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (unit !== undefined) return nowMs - Number(number) * UNITS_MS[unit];
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs))
    throw new InvalidInputError(
      "BAD_ARGUMENT",
      `fedmkt logs: --since: expected a time ago (15m, 2h, 1d) or a date and time (2026-01-31T12:00:00Z), got ${JSON.stringify(text)}`,
    );
  return atMs;
}
