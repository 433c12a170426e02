import { controlKeys } from "@fedmkt/shared/contracts/keys.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { sha256 } from "@fedmkt/shared/formats/sha256.ts";
import type { CommandContext, Outcome } from "../command.ts";
import { count } from "../count.ts";
import { readSpecFile, writeSpec } from "../read-spec-file.ts";
import type { Cloud } from "./cloud.ts";
import { cloudPlaces } from "./cloud-places.ts";
import { listClients } from "./deployed-clients.ts";
import { refuseOtherFolder } from "./download-cloud-run.ts";
import { openDeployment } from "./environment-argument.ts";
import { type CloudRun, readCloudRun, readUploadedSpec } from "./read-run.ts";
import { fetchResults, leftAlone, resultFolder, seeRunThrough } from "./see-run-through.ts";
import { uploadMaterial } from "./upload-material.ts";

/** Lines that were written shortly before this machine's clock says so. */
const CLOCK_SLACK_MS = 60_000;

/**
 * Starts a run in the cloud by uploading its run.yaml, or finds that it is there, and sees it through.
 * @throws InvalidInputError with every mistake of the spec and every place that the cloud cannot read; `RUN_CHANGED`, `RUN_ENDED`
 */
export async function runInCloud(context: CommandContext): Promise<Outcome> {
  const { args, io, dependencies } = context;
  const cloud = await openDeployment(context, "on this machine: fedmkt run --local");
  const places = cloudPlaces({ cloud, clients: await listClients(cloud), upload: args.upload === true });
  const file = readSpecFile(args.spec as string, io, places);
  const tell = (line: string) => io.stderr.write(`${line}\n`);
  const { spec, yaml, hash } = writeSpec(await uploadMaterial(cloud, file.spec, tell));
  const run = spec.name;
  const { folder, shown } = resultFolder(context, run);
  const before = await findSame(cloud, run, hash);
  if (args.detach !== true) refuseOtherFolder(folder, hash);
  const sinceMs = dependencies.nowMs() - CLOCK_SLACK_MS;
  const known = before ?? (await upload(cloud, run, yaml, hash));
  if (known === null)
    tell(
      `run ${run}: ${count(spec.rounds, "round")}, ${count(spec.clients.length, "client")}, in ${cloud.environment}; results come to ${shown}`,
    );
  else {
    refuseFailed(cloud, known);
    tell(`run ${run} is there already, with the same spec: ${describeStanding(known)}; nothing is uploaded`);
  }
  if (args.detach === true) return leftAlone(cloud, run);
  if (known?.standing === "succeeded") return fetchResults(context, cloud, known);
  return seeRunThrough(context, {
    cloud,
    run,
    rounds: spec.rounds,
    execution: null,
    sinceMs: known?.startedMs ?? sinceMs,
  });
}

/** @returns null where the upload begins the run; else how the run stands that somebody else has uploaded meanwhile */
async function upload(cloud: Cloud, run: string, yaml: Uint8Array, hash: string): Promise<CloudRun | null> {
  const isNew = await cloud.objects.putIfAbsent(cloud.bucket("control"), controlKeys.spec(run), yaml);
  return isNew ? null : findSame(cloud, run, hash);
}

/** @returns how the run stands; null where there is none of this name @throws InvalidInputError `RUN_CHANGED` where it has another spec */
async function findSame(cloud: Cloud, run: string, hash: string): Promise<CloudRun | null> {
  const uploaded = await readUploadedSpec(cloud, run);
  if (uploaded === null) return null;
  const there = sha256(uploaded);
  if (there !== hash)
    throw new InvalidInputError(
      "RUN_CHANGED",
      `run ${run} was uploaded with another spec: SHA-256 ${there}, now ${hash}; give the changed spec another name`,
    );
  return readCloudRun(cloud, run);
}

function refuseFailed({ environment }: Cloud, { run, standing, error, cause }: CloudRun): void {
  if (standing !== "failed") return;
  throw new InvalidInputError(
    "RUN_ENDED",
    `run ${run} has failed before (${error}: ${cause}); fedmkt resume ${run} --environment ${environment} goes on where it stopped`,
  );
}

function describeStanding({ standing }: CloudRun): string {
  return {
    waiting: "it has not begun yet",
    running: "it is running",
    succeeded: "it is finished",
    failed: "it failed",
  }[standing];
}
