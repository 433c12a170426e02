import type { Plan } from "@fedmkt/shared/contracts/plan.ts";
import { emptyTransfers } from "@fedmkt/shared/report/empty-transfers.ts";
import type { Outcome } from "../command.ts";
import type { Cloud } from "./cloud.ts";
import { describeProgress, findProgress } from "./describe-progress.ts";
import { type CloudRun, readDollars, readDoneJobs, readLastClosedRound, readPlan, standingWord } from "./read-run.ts";

/** One run: how it stands, how far it is, who waits at their queues, what it has cost. */
export async function describeCloudRun(cloud: Cloud, found: CloudRun, nowMs: number): Promise<Outcome> {
  const { run, standing, execution, error, cause, startedMs, stoppedMs } = found;
  const plan = await readPlan(cloud, run);
  const done = plan === null ? new Set<string>() : await readDoneJobs(cloud, plan);
  const progress = plan === null || standing === "succeeded" ? null : findProgress(plan, done);
  const closed = plan === null ? null : await readLastClosedRound(cloud, plan, done);
  const warnings = closed === null ? [] : emptyTransfers({ ...closed, distillation: plan!.spec.distillation });
  const dollars = plan === null ? null : await readDollars(cloud, plan);
  const queues = plan === null || standing !== "running" ? [] : await readQueues(cloud, plan);
  // this machine's clock may be behind
  const seconds = startedMs === null ? null : Math.max(0, Math.round(((stoppedMs ?? nowMs) - startedMs) / 1000));
  const lines = [
    `${run}: ${standingWord(found)} (${cloud.environment})`,
    ...(standingWord(found) === "failed" ? [`${error}: ${cause}`] : []),
    ...(progress === null ? [] : [describeProgress(progress)]),
    ...warnings,
    ...queues.map(({ party, waiting, taken }) => `${party}'s queue: ${waiting} waiting, ${taken} taken`),
    ...(dollars === null ? [] : [describeCost(dollars, plan!)]),
    ...(seconds === null ? [] : [`${describeDuration(seconds)} ${stoppedMs === null ? "so far" : "in all"}`]),
    ...(execution === null ? [] : [`execution ${execution}`]),
    ...adviceOn(found, cloud),
  ];
  return {
    data: {
      run,
      environment: cloud.environment,
      standing,
      execution,
      error,
      cause,
      progress,
      emptyTransfers: warnings,
      queues,
      dollars,
      seconds,
    },
    text: lines.map((line, index) => (index === 0 ? line : `  ${line}`)).join("\n"),
  };
}

/** The queues of parties that work at their own sites: a job that nobody takes waits there. */
async function readQueues({ queues, names }: Cloud, { spec }: Plan) {
  const sites = spec.clients.filter(({ compute }) => compute === "worker");
  const found = await Promise.all(
    sites.map(async ({ id }) => ({
      party: id,
      ...((await queues.count(names.party(id))) ?? { waiting: 0, taken: 0 }),
    })),
  );
  return found.filter(({ waiting, taken }) => waiting + taken > 0);
}

function describeCost(dollars: number, { spec }: Plan): string {
  const budget = spec.budget === undefined ? "" : ` of a budget of $${spec.budget.dollars.toFixed(2)}`;
  return `workers have cost about $${dollars.toFixed(2)}${budget}`;
}

function describeDuration(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

function adviceOn({ run, standing }: CloudRun, { environment }: Cloud): string[] {
  const at = `${run} --environment ${environment}`;
  if (standing === "succeeded") return [`fedmkt download ${at} fetches what it made`];
  if (standing === "failed") return [`fedmkt resume ${at} goes on where it stopped`];
  return [];
}
