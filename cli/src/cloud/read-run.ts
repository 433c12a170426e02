import { parseJson } from "@fedmkt/shared/contracts/json-document.ts";
import { artefactKeys, controlKeys, MANIFEST } from "@fedmkt/shared/contracts/keys.ts";
import { type Plan, plan } from "@fedmkt/shared/contracts/plan.ts";
import type { RunStatus } from "@fedmkt/shared/contracts/run-status.ts";
import { type RoundSummary, roundSummary } from "@fedmkt/shared/contracts/summary.ts";
import { mainRunOf, variantRun } from "@fedmkt/shared/contracts/variants.ts";
import { MAX_SPEC_BYTES } from "@fedmkt/shared/contracts/yaml-text.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { lastClaim } from "@fedmkt/shared/use-cases/claim-run.ts";
import { firstCause } from "@fedmkt/shared/use-cases/fail-run.ts";
import { readJson } from "@fedmkt/shared/use-cases/read-json.ts";
import { runDollars } from "@fedmkt/shared/use-cases/run-cost.ts";
import { readStatus } from "@fedmkt/shared/use-cases/write-status.ts";
import type { Cloud, CloudExecution } from "./cloud.ts";

/** plan.json holds a spec and a line a client. */
const MAX_PLAN_BYTES = 16 * 1024 * 1024;

/** How a run in the cloud stands. */
export interface CloudRun {
  run: string;
  /** `waiting`: uploaded, and nothing has taken it yet */
  standing: "waiting" | "running" | "succeeded" | "failed";
  /** ARN of the execution that has it, or had */
  execution: string | null;
  error: string | null;
  cause: string | null;
  startedMs: number | null;
  stoppedMs: number | null;
}

/** A run's standing in one word for a person: one that somebody stopped did not fail by itself. */
export function standingWord({ standing, error }: Pick<CloudRun, "standing" | "error">): string {
  return standing === "failed" && error === STOPPED ? "stopped" : standing;
}

/** What an execution is called that fedmkt stop, or somebody in the console, ended. */
const STOPPED = "ABORTED";

/** What the stages' own readers need of a deployment. */
export function storesOf(cloud: Cloud) {
  const buckets = {
    control: cloud.bucket("control"),
    artefacts: cloud.bucket("artefacts"),
    registry: cloud.bucket("registry"),
  };
  return { objects: cloud.objects, buckets };
}

/** The spec as it was uploaded; null where no run has this name. */
export async function readUploadedSpec(cloud: Cloud, run: string): Promise<Uint8Array | null> {
  const { objects } = cloud;
  const control = cloud.bucket("control");
  if ((await objects.head(control, controlKeys.spec(run))) === null) return null;
  return objects.get(control, controlKeys.spec(run), MAX_SPEC_BYTES);
}

/** @throws InvalidInputError `RUN_MISSING` */
export async function requireRun(cloud: Cloud, run: string): Promise<CloudRun> {
  const found = await readCloudRun(cloud, run);
  if (found !== null) return found;
  throw new InvalidInputError(
    "RUN_MISSING",
    `${cloud.environment}: expected a run named ${run}, there is no s3://${cloud.bucket("control")}/${controlKeys.spec(run)}; fedmkt list --environment ${cloud.environment} names those there are`,
  );
}

/**
 * What status.json says, held against the execution that it names: one that ended without a word (deleted from the console, say)
 * is not taken for running.
 * @returns null where no run has this name
 */
export async function readCloudRun(cloud: Cloud, run: string): Promise<CloudRun | null> {
  const { objects, machines } = cloud;
  const status = await readStatus(storesOf(cloud), run);
  const holder = status?.execution ?? (await lastClaim(storesOf(cloud), run))?.execution ?? null;
  if (holder === null && (await objects.head(cloud.bucket("control"), controlKeys.spec(run))) === null) return null;
  const execution = holder === null ? null : await machines.describe(holder);
  return standingOf(run, status, holder, execution);
}

function standingOf(
  run: string,
  status: RunStatus | null,
  holder: string | null,
  execution: CloudExecution | null,
): CloudRun {
  const times = { startedMs: execution?.startedMs ?? null, stoppedMs: execution?.stoppedMs ?? null };
  const common = { run, execution: holder, error: null, cause: null, ...times };
  if (status?.status === "SUCCEEDED") return { ...common, standing: "succeeded" };
  if (status?.status === "FAILED")
    return {
      ...common,
      standing: "failed",
      error: status.error ?? "Error",
      cause: status.cause ?? "no cause was given",
    };
  if (holder === null) return { ...common, standing: "waiting" };
  if (execution === null)
    return {
      ...common,
      standing: "failed",
      error: "ExecutionLost",
      cause: `the execution ${holder} is no longer there`,
    };
  if (execution.status === "RUNNING" || execution.status === "SUCCEEDED") return { ...common, standing: "running" };
  return { ...common, standing: "failed", ...describeEnd(execution) };
}

/** Why an execution ended, in its own words. */
export function describeEnd({ status, error, cause }: CloudExecution): { error: string; cause: string } {
  return firstCause(error ?? status, cause ?? `the execution ended: ${status}`);
}

/** null until the run is planned */
export async function readPlan(cloud: Cloud, run: string): Promise<Plan | null> {
  const { objects } = cloud;
  const control = cloud.bucket("control");
  const key = controlKeys.plan(run);
  if ((await objects.head(control, key)) === null) return null;
  return parseJson(await objects.get(control, key, MAX_PLAN_BYTES), key, plan);
}

/**
 * What the last round that has closed came to.
 * @param done - keys of what is done
 * @returns null before the first has
 */
export async function readLastClosedRound(
  cloud: Cloud,
  { run, spec }: Plan,
  done: ReadonlySet<string>,
): Promise<RoundSummary | null> {
  for (let round = spec.rounds; round > 0; round--) {
    const key = artefactKeys.roundSummary(run, round);
    if (done.has(key)) return readJson(cloud.objects, cloud.bucket("artefacts"), key, roundSummary);
  }
  return null;
}

/** What the run's workers have cost so far, by the price table. */
export async function readDollars(cloud: Cloud, planned: Plan): Promise<number> {
  return runDollars(storesOf(cloud), planned);
}

/** ARNs of the round executions of a run, its variants' too, that run now. */
export async function runningRounds(cloud: Cloud, run: string): Promise<string[]> {
  const { machines, names } = cloud;
  const found: string[] = [];
  for (const id of await machines.running(names.roundMachine)) {
    const execution = await machines.describe(id);
    if (execution !== null && runOfRound(execution.input) === run) found.push(id);
  }
  return found;
}

/** The run that a user started, of a round's input; null where the input is none of ours. */
function runOfRound(input: string): string | null {
  try {
    const { run } = JSON.parse(input) as { run?: unknown };
    return typeof run === "string" ? mainRunOf(run) : null;
  } catch {
    return null;
  }
}

/** Keys of the manifests that the jobs of a run and of its variants have written: what is done. */
export async function readDoneJobs(cloud: Cloud, { run, machine }: Plan): Promise<Set<string>> {
  const keys: string[] = [];
  for (const one of [run, ...machine.variants.map((variant) => variantRun(run, variant))])
    keys.push(...(await cloud.objects.list(cloud.bucket("artefacts"), artefactKeys.run(one))));
  return new Set(keys.filter((key) => key.endsWith(`/${MANIFEST}`) || /\/(selection\/[^/]+|summary)\.json$/.test(key)));
}
