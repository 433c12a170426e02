import type { RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { acceleratorOf, SUSTAINED_SHARE } from "@fedmkt/shared/core/cost/accelerators.ts";
import {
  type CostEstimate,
  type CostOptions,
  limitShares,
  SERVICE_ASSUMPTIONS,
} from "@fedmkt/shared/core/cost/estimate-cost.ts";
import { STEP_FUNCTIONS_LIMITS } from "@fedmkt/shared/core/cost/machine-states.ts";
import { PRICE_TABLE, SPOT_SHARE } from "@fedmkt/shared/core/cost/prices.ts";
import { partiesOf, type RunSize, shardsOf } from "@fedmkt/shared/core/cost/run-size.ts";
import { WORKER_ASSUMPTIONS } from "@fedmkt/shared/core/cost/worker-time.ts";
import { describeMethod, type TextTable } from "@fedmkt/shared/report/run-tables.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";
import { count } from "../count.ts";
import { drawTextTable } from "../text-table.ts";
import type { MeasuredParty } from "./measure-run.ts";

export interface DescribedEstimate {
  spec: RunSpec;
  size: RunSize;
  parties: readonly MeasuredParty[];
  estimate: CostEstimate;
  budget: { dollars: number; stopsAfterRound: number | null } | null;
  warnings: readonly string[];
  assumptions: readonly string[];
  colours: boolean;
}

/** An estimate for the terminal: dollars by service, requests by stage, limits, the budget, warnings and assumptions. */
export function describeEstimate({
  spec,
  size,
  parties,
  estimate,
  budget,
  warnings,
  assumptions,
  colours,
}: DescribedEstimate) {
  const { jobs, paidHours, siteHours, flops } = estimate.workers;
  const { transitions, longestHistory, payloadBytes } = estimate.states;
  const { history, payload } = limitShares(estimate);
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const summary = [
    `Run ${spec.name}: ${count(size.rounds, "round")}, ${count(size.clients.length, "client")}, ${count(size.publicSamples, "public sample")} in ${count(shardsOf(size), "shard")}${size.variants.length === 0 ? "" : `; as many rounds of ${size.variants.map(({ name }) => name).join(", ")}`}.`,
    `Method:  ${describeMethod(spec).replace(/^method /, "")}`,
    `Work:    ${count(jobs, "worker job")}, ${flops.toExponential(2)} floating-point operations; ${paidHours.toFixed(2)} machine hours in the cluster, ${siteHours.toFixed(2)} h at sites`,
    `States:  ${transitions} transitions; longest history ${longestHistory} of ${STEP_FUNCTIONS_LIMITS.events} events (${percent(history)}), largest state ${formatBytes(payloadBytes)} of ${formatBytes(STEP_FUNCTIONS_LIMITS.payloadBytes)} (${percent(payload)})`,
    ...(budget === null ? [] : [`Budget:  ${describeBudget(budget, size, estimate)}`]),
  ].join("\n");
  return [
    summary,
    drawTextTable(partyTable(size, parties), colours),
    drawTextTable(costTable(estimate), colours),
    drawTextTable(requestTable(estimate), colours),
    ...(warnings.length === 0 ? [] : [listed("Warnings", warnings)]),
    listed("Assumed, not counted", assumptions),
  ].join("\n\n");
}

/** What the estimate takes for granted, whatever the spec. */
export function listAssumptions({ instanceType, spot, machineHours }: CostOptions): string[] {
  const { name, flopsPerSecond, gpus } = acceleratorOf(instanceType);
  const { startSeconds, openSeconds, downloadBytesPerSecond } = WORKER_ASSUMPTIONS;
  const sustained = `${(flopsPerSecond / 1e12).toFixed(2)} TFLOPS`;
  return [
    "nothing fails: every retry and every spot machine that is taken away comes on top",
    ...(machineHours === null
      ? [
          gpus === 0
            ? `${name} keep up ${sustained} (measured with GPT-2 small)`
            : `a ${name} keeps up ${sustained}, ${Math.round(SUSTAINED_SHARE * 100)} % of its float32 peak (not measured)`,
          `a worker starts in ${startSeconds} s, opens its model in ${openSeconds} s and downloads ${Math.round(downloadBytesPerSecond / 1e6)} MB a second`,
        ]
      : [`${machineHours} machine hours, as given`]),
    ...(spot ? [`a spot machine costs ${Math.round(SPOT_SHARE * 100)} % of the on-demand price`] : []),
    `S3 asks KMS once for ${SERVICE_ASSUMPTIONS.requestsPerKmsRequest} requests; what a run writes is kept for ${SERVICE_ASSUMPTIONS.storedMonths} month`,
    "no free tier, no tax, no savings plan; what stands there between runs (keys, alarms, dashboard) is not in it (docs/cost.md)",
  ];
}

function describeBudget(
  { dollars, stopsAfterRound }: NonNullable<DescribedEstimate["budget"]>,
  { rounds }: RunSize,
  estimate: CostEstimate,
) {
  const all = estimate.budgetAfterRound.at(-1)!;
  const enough = `${money(dollars)} for ${money(all)} of worker time`;
  if (stopsAfterRound === null) return `${enough}; it lasts for all rounds`;
  return stopsAfterRound < rounds
    ? `${enough}; the run ends after round ${stopsAfterRound} of ${rounds}`
    : `${enough}; it lasts for the run's own ${count(rounds, "round")}, not for all of its variants`;
}

function costTable({ lines, dollars }: CostEstimate): TextTable {
  return {
    title: "Cost by service",
    columns: [
      { name: "service", align: "left" },
      { name: "for", align: "left" },
      { name: "US dollars", align: "right" },
    ],
    rows: [
      ...lines.map(({ service, quantity, dollars: share }) => [
        { text: service },
        { text: quantity },
        { text: money(share) },
      ]),
      [{ text: "in all" }, { text: "" }, { text: money(dollars) }],
    ],
    note: `Prices of ${PRICE_TABLE.date} in ${PRICE_TABLE.region} (${PRICE_TABLE.source}).`,
  };
}

/** How long a party's jobs take is not told: they run beside each other, on machines that are paid by the second. */
function partyTable(size: RunSize, parties: readonly MeasuredParty[]): TextTable {
  const sizes = partiesOf(size);
  return {
    title: "Models",
    columns: [
      { name: "party", align: "left" },
      { name: "architecture", align: "left" },
      ...["parameters", "adapter", "tokens", "memory", "with checkpointing"].map((name) => ({
        name,
        align: "right" as const,
      })),
    ],
    rows: parties.map(({ id, modelType, memoryBytes, tokens }, index) =>
      [
        id,
        modelType ?? "not looked into",
        sizes[index].parameters.toLocaleString("en"),
        formatBytes(Math.round(sizes[index].adapterBytes)),
        String(tokens),
        ...[memoryBytes?.plain, memoryBytes?.checkpointed].map((bytes) =>
          bytes === undefined ? "" : formatBytes(Math.round(bytes)),
        ),
      ].map((text) => ({ text })),
    ),
    note: "Tokens are those of the longest sample; memory is the estimated peak of training, in float32, plain and with activation checkpointing.",
  };
}

function requestTable({ requests }: CostEstimate): TextTable {
  const right = (name: string) => ({ name, align: "right" as const });
  return {
    title: "S3 by stage",
    columns: [
      { name: "stage", align: "left" },
      right("runs"),
      right("reads"),
      right("writes"),
      right("read"),
      right("written"),
    ],
    rows: requests
      .filter(({ runs }) => runs > 0)
      .map(({ stage, runs, reads, writes, bytesRead, bytesWritten }) => [
        { text: stage },
        ...[runs, reads, writes].map((number) => ({ text: String(Math.round(number)) })),
        ...[bytesRead, bytesWritten].map((bytes) => ({ text: formatBytes(Math.round(bytes)) })),
      ]),
    note: "Models and data counted as lying in S3; every job of the cluster downloads its model.",
  };
}

function listed(title: string, lines: readonly string[]): string {
  return [`${title}:`, ...lines.map((line) => `  ${line}`)].join("\n");
}

/** Cents where there are any, else enough digits to see something. */
function money(dollars: number): string {
  return `$${dollars === 0 || dollars >= 0.01 ? dollars.toFixed(2) : dollars.toPrecision(1)}`;
}
