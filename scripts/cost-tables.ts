/** Writes the tables of docs/cost.md and docs/limits.md from the model of costs. `--check` only says whether they are up to date. */
import { readFileSync, writeFileSync } from "node:fs";
import { acceleratorOf } from "../shared/src/core/cost/accelerators.ts";
import { endpointCost } from "../shared/src/core/cost/endpoint-cost.ts";
import { type CostEstimate, estimateCost, limitShares } from "../shared/src/core/cost/estimate-cost.ts";
import { countRoundStates, countRun, STEP_FUNCTIONS_LIMITS } from "../shared/src/core/cost/machine-states.ts";
import { largestPayloadBytes } from "../shared/src/core/cost/payload.ts";
import { ON_DEMAND_HOURS, PRICE_TABLE, SPOT_SHARE, UNIT_PRICES } from "../shared/src/core/cost/prices.ts";
import { machineSizeOf, type PartySize, type RunSize } from "../shared/src/core/cost/run-size.ts";
import { workerMemoryBytes } from "../shared/src/core/cost/worker-time.ts";

const INSTANCE = "g6e.xlarge";
const ROUNDS = 5;
/** CommonsenseQA, from memory: 9,741 training questions in five equal parts, 1,221 held-out ones with five answers each. */
const SAMPLES = 1_948;
const HELD_OUT_TEXTS = 1_221 * 5;
/** A question with its answer, and the answer alone. */
const TOKENS_PER_SAMPLE = 40;
const ANSWER_TOKENS = 4;
const BYTES_PER_SAMPLE = 260;
/** LoRA of rank 8 on the attention's projections: 0.12 % of LLaMA2-7B's weights. */
const ADAPTER_SHARE = 0.0012;

/** The paper's models: weights and vocabulary. */
const MODELS = {
  "LLaMA2-7B": { parameters: 6.74e9, vocabularySize: 32_000 },
  "GPT-2-xl": { parameters: 1.56e9, vocabularySize: 50_257 },
  "OPT-1.3B": { parameters: 1.32e9, vocabularySize: 50_272 },
  "Bloom-1.1B": { parameters: 1.07e9, vocabularySize: 250_880 },
  "LLaMA2-1.3B (Sheared)": { parameters: 1.35e9, vocabularySize: 32_000 },
} as const;
type ModelName = keyof typeof MODELS;

interface Scale {
  rounds?: number;
  samples?: number;
  averages?: boolean;
}

function party(id: string, model: ModelName, samples: number): PartySize {
  const { parameters, vocabularySize } = MODELS[model];
  return {
    id,
    compute: "ecs",
    parameters,
    modelBytes: 2 * parameters,
    modelFiles: 4,
    adapterBytes: parameters * ADAPTER_SHARE * 4,
    vocabularySize,
    publicTokens: samples * TOKENS_PER_SAMPLE,
    publicPositions: samples * ANSWER_TOKENS,
    privateTokens: id === "server" ? 0 : SAMPLES * TOKENS_PER_SAMPLE,
    heldOutTokens: HELD_OUT_TEXTS * TOKENS_PER_SAMPLE,
    privateEpochs: 1,
    publicEpochs: 1,
  };
}

function federation(
  models: readonly ModelName[],
  { rounds = ROUNDS, samples = SAMPLES, averages = false }: Scale = {},
): RunSize {
  const clients = models.map((model, index) => party(`client-${index + 1}`, model, samples));
  const trained = (trainsOnPublic: boolean) =>
    clients.map(({ id }) => ({ party: id, trainsOnPrivate: true, trainsOnPublic }));
  const zeroShot = ["server", ...clients.map(({ id }) => id)].map((id) => ({
    party: id,
    trainsOnPrivate: false,
    trainsOnPublic: false,
  }));
  return {
    rounds,
    publicSamples: samples,
    publicBytes: samples * BYTES_PER_SAMPLE,
    samplesPerShard: 64,
    topK: 128,
    shardEncoding: "packed",
    maps: 2 * new Set(models).size,
    direction: "both",
    averages,
    heldOutSets: 1,
    variants: [],
    baselines: [
      ...zeroShot,
      ...trained(false),
      ...trained(true),
      { party: "server", trainsOnPrivate: false, trainsOnPublic: true },
    ],
    server: party("server", "LLaMA2-7B", samples),
    clients,
  };
}

const HETEROGENEOUS: ModelName[] = ["GPT-2-xl", "OPT-1.3B", "Bloom-1.1B", "LLaMA2-1.3B (Sheared)"];
const alike = (count: number) => Array.from({ length: count }, (): ModelName => "LLaMA2-1.3B (Sheared)");
const SCENARIOS: Record<string, RunSize> = {
  "heterogeneous: GPT-2-xl, OPT-1.3B, Bloom-1.1B, LLaMA2-1.3B": federation(HETEROGENEOUS),
  "homogeneous: four LLaMA2-1.3B, averaged": federation(alike(4), { averages: true }),
  "one to one: OPT-1.3B": federation(["OPT-1.3B"]),
};

const estimate = (size: RunSize, spot = true) =>
  estimateCost(size, { instanceType: INSTANCE, spot, machineHours: null });
const dollars = (amount: number) => `$${amount.toFixed(2)}`;
const whole = (amount: number) => Math.round(amount).toLocaleString("en-US");
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
const sum = ({ requests }: CostEstimate, name: "reads" | "writes" | "bytesRead" | "bytesWritten") =>
  requests.reduce((total, row) => total + row[name], 0);
/** Everything but the machines that workers run on. */
const serverless = ({ lines }: CostEstimate) =>
  lines
    .filter(({ service }) => !["EC2", "EBS", "Public IPv4"].includes(service))
    .reduce((total, line) => total + line.dollars, 0);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map((_, index) => (index === 0 ? "---" : "---:")).join("|")}|`, ...rows.map(line)].join(
    "\n",
  );
}

function scenarios(): string {
  return table(
    [
      "scenario (server LLaMA2-7B)",
      "worker jobs",
      "machine hours",
      "state transitions",
      "S3 requests",
      "written to S3",
      "all but machines",
      "in all, spot",
      "in all, on demand",
    ],
    Object.entries(SCENARIOS).map(([name, size]) => {
      const told = estimate(size);
      return [
        name,
        whole(told.workers.jobs),
        told.workers.paidHours.toFixed(1),
        whole(told.states.transitions),
        whole(sum(told, "reads") + sum(told, "writes")),
        gigabytes(sum(told, "bytesWritten")),
        dollars(serverless(told)),
        dollars(told.dollars),
        dollars(estimate(size, false).dollars),
      ];
    }),
  );
}

function services(): string {
  const [first] = Object.values(SCENARIOS);
  return table(
    ["service", "for", "dollars"],
    estimate(first).lines.map(({ service, quantity, dollars: amount }) => [service, quantity, amount.toFixed(4)]),
  );
}

function growth(): string {
  const row = (name: string, size: RunSize) => {
    const told = estimate(size);
    const { history, payload } = limitShares(told);
    return [
      name,
      whole(told.workers.jobs),
      told.workers.paidHours.toFixed(1),
      whole(told.states.transitions),
      percent(history),
      percent(payload),
      gigabytes(sum(told, "bytesWritten")),
      dollars(serverless(told)),
      dollars(told.dollars),
    ];
  };
  return table(
    [
      "",
      "worker jobs",
      "machine hours",
      "state transitions",
      "longest history",
      "largest state",
      "written to S3",
      "all but machines",
      "in all, spot",
    ],
    [
      ...[1, 2, 4, 8, 16, 32].map((clients) => row(`${clients} clients`, federation(alike(clients)))),
      ...[1, 2, 5, 10, 20].map((rounds) => row(`${rounds} rounds`, federation(alike(4), { rounds }))),
      ...[500, 1_000, 2_000, 4_000, 8_000].map((samples) =>
        row(`${whole(samples)} public samples`, federation(alike(4), { samples })),
      ),
    ],
  );
}

function machines(): string {
  return table(
    [
      "instance",
      "GPU",
      "memory",
      "on demand, an hour",
      "spot (assumed), an hour",
      "hours of the heterogeneous run",
      "its cost, spot",
    ],
    smallestOfEachFamily().map(([instanceType, hourly]) => {
      const { name, gpus, memoryBytes } = acceleratorOf(instanceType);
      const [size] = Object.values(SCENARIOS);
      const fits = [size.server, ...size.clients].every((one) => workerMemoryBytes(one) <= memoryBytes);
      const told = estimateCost(size, { instanceType, spot: true, machineHours: null });
      return [
        `\`${instanceType}\``,
        gpus > 1 ? `${gpus} × ${name}` : name,
        `${Math.round(memoryBytes / 1024 ** 3)} GiB`,
        `$${hourly}`,
        `$${(hourly * SPOT_SHARE).toFixed(3)}`,
        fits ? told.workers.paidHours.toFixed(1) : "does not fit",
        fits ? dollars(told.dollars) : "",
      ];
    }),
  );
}

function smallestOfEachFamily(): [instanceType: string, hourly: number][] {
  const families = new Map<string, [string, number]>();
  for (const [instanceType, hourly] of Object.entries(ON_DEMAND_HOURS)) {
    const family = instanceType.split(".")[0];
    if (!families.has(family)) families.set(family, [instanceType, hourly]);
  }
  return [...families.values()];
}

/** What an inference endpoint costs, by what it runs on. */
function endpoints(): string {
  const rows: ["gpu" | "cpu", string][] = [
    ["cpu", "fargate-4vcpu-16gb"],
    ...(["g4dn.xlarge", "g6.xlarge", "g5.xlarge", "g6e.xlarge"] as const).map((type): ["gpu", string] => ["gpu", type]),
  ];
  return table(
    [
      "service",
      "machine",
      "a month, while nothing runs",
      "an hour of each task",
      "a month of one task that never goes",
    ],
    rows.map(([service, machine]) => {
      const { idleMonth, taskHour } = endpointCost(service, machine);
      const always = idleMonth + taskHour * 730;
      return [
        `\`${service}\``,
        `\`${machine}\``,
        `$${idleMonth.toFixed(0)}`,
        `$${taskHour.toFixed(3)}`,
        `$${always.toFixed(0)}`,
      ];
    }),
  );
}

function units(): string {
  return table(
    ["unit", "dollars"],
    Object.entries(UNIT_PRICES).map(([name, price]) => [`\`${name}\``, String(price)]),
  );
}

/** How far one run goes, by clients and shards; ids as long as `hospital-north-01`. */
function reach(): string {
  const size = (clients: number, shards: number): RunSize => ({
    ...federation(alike(clients), { samples: shards * 64 }),
    clients: Array.from({ length: clients }, (_, index) =>
      party(`hospital-north-${String(index + 1).padStart(2, "0")}`, "OPT-1.3B", shards * 64),
    ),
  });
  const fits = (one: RunSize) =>
    countRun(machineSizeOf(one)).longestHistory <= 0.8 * STEP_FUNCTIONS_LIMITS.events &&
    largestPayloadBytes({ ...one, rounds: 2 }) <= 240 * 1024;
  return table(
    [
      "clients",
      "most shards",
      "public samples at 64 a shard",
      "at 256 a shard",
      "events of its first round",
      "largest state",
    ],
    [1, 2, 4, 8, 16, 32, 64, 128, 256].map((clients) => {
      let shards = 0;
      while (fits(size(clients, shards + 1))) shards++;
      const largest = size(clients, shards);
      return [
        String(clients),
        whole(shards),
        whole(shards * 64),
        whole(shards * 256),
        whole(countRoundStates(machineSizeOf(largest).rounds[0]).events),
        `${Math.round(largestPayloadBytes({ ...largest, rounds: 2 }) / 1024)} KiB`,
      ];
    }),
  );
}

const TABLES: Record<string, Record<string, () => string>> = {
  "docs/cost.md": { scenarios, services, growth, machines, endpoints, units },
  "docs/limits.md": { reach },
};

const stale: string[] = [];
for (const [document, tables] of Object.entries(TABLES)) {
  const path = new URL(`../${document}`, import.meta.url);
  const before = readFileSync(path, "utf8");
  let after = before.replace(/Prices of \d{4}-\d{2}-\d{2}/g, `Prices of ${PRICE_TABLE.date}`);
  for (const [name, write] of Object.entries(tables)) {
    const [start, end] = [`<!-- ${name}: npm run generate -->`, `<!-- end of ${name} -->`];
    if (!after.includes(start) || !after.includes(end)) throw new Error(`${document}: expected ${start} … ${end}`);
    after = `${after.slice(0, after.indexOf(start))}${start}\n${write()}\n${after.slice(after.indexOf(end))}`;
  }
  if (before === after) continue;
  stale.push(document);
  if (!process.argv.includes("--check")) writeFileSync(path, after);
}
if (process.argv.includes("--check") && stale.length > 0) {
  console.error(`${stale.join(", ")}: the tables are not those of the model of costs; run npm run generate`);
  process.exit(1);
}
