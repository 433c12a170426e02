import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { parse, stringify } from "yaml";
import { downloadRun } from "../cli/src/download-run.ts";
import { storedObjects } from "../cli/src/local/stored-objects.ts";
import { REGISTRY_ENTRY, registryKeys } from "../shared/src/contracts/keys.ts";
import { InvariantError } from "../shared/src/core/errors.ts";
import {
  failuresOf,
  type Load,
  type ServingProcess,
  startLoad,
  startServingProcess,
  TELLS_MEMORY,
} from "../test/support/serving/loaded-process.ts";

const CLI = fileURLToPath(new URL("../cli/bin/fedmkt.mjs", import.meta.url));
const QUICKSTART = fileURLToPath(new URL("../examples/quickstart", import.meta.url));
const PARTY = "ward";
const RUNS = ["first", "second"];
const ANSWER_TOKENS = 4;
const MEMORY_MS = 1_000;
/** V8 would let it grow to a hundred MiB while requests come, and shrink it afterwards: resident memory would tell of little else. */
const YOUNG_GENERATION_MIB = 8;
/** Worse or not: here it matters how soon an adapter is served, not how good it is. */
const ANY_LOSS = "1000";

/**
 * Adapters that change under load. Two short local runs of the quickstart's server and ward are made; `fedmkt serve` follows a folder that has the first
 * one's results. While requests are sent without a pause, the second one's are published into it, by what a local run publishes with; their entry
 * is deleted, and they are published again. Every request must be answered.
 *
 * @param argv - `--requests` (10000), `--connections` (8): how many are under way at once
 */
export async function run(argv: string[]): Promise<object> {
  const { values } = parseArgs({
    args: argv,
    options: {
      requests: { type: "string", default: "10000" },
      connections: { type: "string", default: "8" },
    },
  });
  const [requests, connections] = [Number(values.requests), Number(values.connections)];
  if (!(requests >= 100) || !(connections >= 1))
    throw new Error(
      `bench hot-adapters: expected --requests from 100 and --connections from 1, got ${values.requests} and ${values.connections}`,
    );
  const folder = mkdtempSync(join(tmpdir(), "bench-hot-adapters-"));
  let serving: ServingProcess | null = null;
  try {
    const runs = join(folder, "runs");
    mkdirSync(runs);
    for (const [index, name] of RUNS.entries()) await runLocally(folder, name, index + 1);
    const publish = (name: string) => publishInto(runs, join(folder, "finished", name), name);
    await publish(RUNS[0]);
    serving = await startServingProcess(
      [
        ...["--model", join(QUICKSTART, "models", PARTY), "--name", "base"],
        ...["--registry", runs, "--gate-tolerance", ANY_LOSS, "--queued", "64"],
      ],
      [...TELLS_MEMORY, `--max-semi-space-size=${YOUNG_GENERATION_MIB}`],
    );
    return {
      model: `quickstart's ${PARTY}`,
      connections,
      ...(await measure(serving, { runs, publish, requests, connections })),
    };
  } finally {
    await serving?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Measurement {
  runs: string;
  publish(name: string): Promise<void>;
  requests: number;
  connections: number;
}

async function measure(
  serving: ServingProcess,
  { runs, publish, requests, connections }: Measurement,
): Promise<object> {
  await serving.whenServed(PARTY, RUNS[0]);
  const resident: number[] = [];
  const looking = setInterval(() => resident.push(serving.residentMb()), MEMORY_MS);
  const startMs = Date.now();
  const load = startLoad(serving, PARTY, connections, ANSWER_TOKENS);
  const sinceEvent = async (share: number, event: () => Promise<void> | void, served: string) => {
    await whenAnswered(load, share * requests);
    const beginMs = Date.now();
    await event();
    return ((await serving.whenServed(PARTY, served)) - beginMs) / 1000;
  };
  await whenAnswered(load, 0.1 * requests);
  const keptMb = [await serving.keptMb()];
  const takenUpSeconds = [await sinceEvent(0.2, () => publish(RUNS[1]), RUNS[1])];
  const withdraw = () => rmSync(join(runs, RUNS[1], "adapters", PARTY, REGISTRY_ENTRY));
  const rolledBackSeconds = await sinceEvent(0.5, withdraw, RUNS[0]);
  keptMb.push(await serving.keptMb());
  takenUpSeconds.push(await sinceEvent(0.8, () => publish(RUNS[1]), RUNS[1]));
  await whenAnswered(load, requests);
  const seconds = (Date.now() - startMs) / 1000;
  const result = await load.stop();
  clearInterval(looking);
  keptMb.push(await serving.keptMb());
  const half = Math.ceil(resident.length / 2);
  return {
    requests: result["2xx"] + failuresOf(result),
    failed: failuresOf(result),
    seconds: Math.round(seconds),
    requestsPerSecond: Math.round(load.answered() / seconds),
    latencyMs: { median: result.latency.p50, p99: result.latency.p99, most: result.latency.max },
    takenUpSeconds,
    rolledBackSeconds,
    // heap and buffers after a collection: at a tenth of the requests, at half, at the end
    keptMb: keptMb.map((megabytes) => Math.round(megabytes * 10) / 10),
    residentMb: {
      meanOfSecondHalf: mean(resident.slice(half)),
      mostOfFirstHalf: Math.max(...resident.slice(0, half)),
      mostOfSecondHalf: Math.max(...resident.slice(half)),
    },
  };
}

/** A run of the quickstart's server and one of its clients, one round. */
async function runLocally(folder: string, name: string, seed: number): Promise<void> {
  const whole = parse(
    readFileSync(join(QUICKSTART, "run.yaml"), "utf8").replaceAll(/\b(models|data)\//g, `${QUICKSTART}/$1/`),
  );
  const training = { learningRate: 8e-3, batchSize: 8, publicEpochs: 1 };
  const spec = {
    ...whole,
    ...{ name, seed, rounds: 1, baselines: [] },
    server: { ...whole.server, training },
    clients: whole.clients
      .filter(({ id }: { id: string }) => id === PARTY)
      .map((client: object) => ({ ...client, training: { ...training, privateEpochs: 1 } })),
    evaluation: whole.evaluation.filter((set: { name: string }) => set.name === PARTY),
  };
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, stringify(spec));
  console.log(`local run ${name}`);
  await promisify(execFile)(process.execPath, [CLI, "run", "--local", file, "--out", join(folder, "finished", name)]);
}

/** What a local run does when it has succeeded, into another folder. */
async function publishInto(runs: string, finished: string, name: string): Promise<void> {
  const objects = storedObjects(finished);
  const bucketWith = (key: string) => {
    const bucket = objects.buckets().find((one) => objects.has(one, key));
    if (bucket === undefined)
      throw new InvariantError("RUN_NOT_STARTED", `${finished}: expected ${key} in one of its buckets`);
    return bucket;
  };
  const places = {
    artefacts: bucketWith(`runs/${name}/published/summary.json`),
    registry: bucketWith(registryKeys.entry(PARTY, name)),
  };
  const readObject = async (bucket: string, key: string) => objects.read(bucket, key);
  await downloadRun({ ...places, readObject }, name, join(runs, name));
}

async function whenAnswered(load: Load, count: number): Promise<void> {
  while (load.answered() < count) await new Promise((resolve) => setTimeout(resolve, 20));
}

function mean(values: readonly number[]): number {
  return Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
}
