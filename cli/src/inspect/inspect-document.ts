import type { DocumentSchema } from "@fedmkt/shared/contracts/json-document.ts";
import { manifest } from "@fedmkt/shared/contracts/manifest.ts";
import { plan } from "@fedmkt/shared/contracts/plan.ts";
import { registryEntry } from "@fedmkt/shared/contracts/registry-entry.ts";
import { runState } from "@fedmkt/shared/contracts/run-state.ts";
import { runStatus } from "@fedmkt/shared/contracts/run-status.ts";
import { selection } from "@fedmkt/shared/contracts/selection.ts";
import { roundSummary, runSummary } from "@fedmkt/shared/contracts/summary.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { LOSS_UNITS, type LossMetric } from "@fedmkt/shared/core/selection/loss-metric.ts";
import { findJsonKeyProblem } from "@fedmkt/shared/formats/json-keys.ts";
import { quote } from "@fedmkt/shared/formats/quote.ts";
import { isVocabularyMapJson } from "@fedmkt/shared/formats/vocabulary-map-json.ts";
import { formatBytes, formatValue } from "@fedmkt/shared/report/table.ts";
import { figure } from "./figures.ts";
import { inspectPlainMap } from "./inspect-plain-map.ts";
import type { Inspection, InspectionContext } from "./inspection.ts";

/** Deeper than any of the documents. */
const MAX_DEPTH = 32;
/** The most that one has: three for each entry of a vocabulary map. */
const MAX_VALUES = 4_000_000;

/** How one kind of document is told apart and shown. */
function documentOf<T>(
  kind: string,
  schema: DocumentSchema<T>,
  show: (value: T) => Omit<Inspection, "kind">,
): (value: unknown) => Inspection | null {
  return (value) => {
    const parsed = schema.safeParse(value);
    return parsed.success ? { kind, ...show(parsed.data) } : null;
  };
}

const DOCUMENTS = [
  documentOf("plan", plan, ({ run, specHash, spec, parties, public: set, evaluation, machine }) => ({
    facts: {
      run,
      spec: specHash,
      rounds: spec.rounds,
      "public samples": set.samples,
      "public shards": set.shards,
      "public answer bytes": set.answerBytes,
      "held-out sets": evaluation.map(({ name }) => name).join(", ") || "none",
      "vocabulary maps": machine.maps.length,
      "transfers in round 1": machine.first.members.toServer.length + machine.first.members.toClients.length,
      baselines: machine.baselines.length,
      variants: machine.variants.join(", ") || "none",
      direction: machine.first.direction,
      aggregation: machine.first.aggregation,
    },
    lines: parties.map(
      ({ id, vocabularySize, contextTokens, tokenizerHash }) =>
        `${id}: ${vocabularySize} tokens, context ${contextTokens}, tokenizer ${tokenizerHash.slice(0, 12)}`,
    ),
  })),
  documentOf("manifest", manifest, ({ run, round, stage, party, outputs, metrics }) => ({
    facts: { run, round, stage, party, ...metrics },
    lines: outputs.map(({ name, bytes, sha256 }) => `${name}: ${formatBytes(bytes)}, SHA-256 ${sha256}`),
  })),
  documentOf("selection", selection, ({ run, round, target, rule, lossMetric, count }) => ({
    facts: {
      run,
      round,
      target,
      rule,
      "loss metric": lossMetric,
      samples: count.samples,
      [rule === "greater" || rule === "weighted-mean" ? "won by the target itself" : "learned from nobody"]: count.none,
      [rule === "token" ? "mean advantage" : "mean gap"]: inUnit(count.meanGap, lossMetric),
      ...(count.meanLossGap !== undefined && { "mean gap of losses": inUnit(count.meanLossGap, lossMetric) }),
      ...(count.outOfBounds && {
        "better by at most minGap": count.outOfBounds.near,
        "better by more than maxGap": count.outOfBounds.far,
      }),
    },
    lines: Object.entries(count.bySource).map(
      ([source, samples]) =>
        `from ${source}: ${samples}; better than ${target} on ${count.ahead[source]}, alone on ${count.alone[source]}`,
    ),
  })),
  documentOf("run summary", runSummary, ({ run, specHash, rounds, parties, publicSamples, scores }) => ({
    facts: {
      run,
      spec: specHash,
      rounds,
      parties: parties.length,
      "public samples": publicSamples,
      scores: scores.length,
    },
    lines: ["fedmkt report draws it"],
  })),
  documentOf("round summary", roundSummary, ({ round, scores, transfers, selections }) => ({
    facts: { round, scores: scores.length, transfers: transfers.length, selections: selections.length },
    lines: scores.map(({ party, set, metric, value }) => `${party} on ${set}: ${formatValue(value)} ${metric}`),
  })),
  documentOf(
    "registry entry",
    registryEntry,
    ({ party, run, rounds, specHash, publishedAt, base, adapter, scores }) => ({
      facts: { party, run, rounds, spec: specHash, published: publishedAt ?? "not said", "base model": base.name },
      lines: [
        ...adapter.files.map(({ name, bytes, sha256 }) => `${name}: ${formatBytes(bytes)}, SHA-256 ${sha256}`),
        ...scores.map(({ set, metric, value }) => `on ${set}: ${formatValue(value)} ${metric}`),
      ],
    }),
  ),
  documentOf("run status", runStatus, ({ run, status, error = "", cause = "" }) => ({
    facts: { run, status, ...(error === "" ? {} : { error }) },
    lines: cause === "" ? [] : cause.split("\n"),
  })),
  documentOf("run state", runState, ({ run, status, specHash, error }) => ({
    facts: { run, status, spec: specHash, ...(error === null ? {} : { error }) },
    lines: [],
  })),
];

/** A difference of losses, in the unit of their metric. */
function inUnit(gap: number, metric: LossMetric) {
  return figure(gap, (value) => `${formatValue(value)} ${LOSS_UNITS[metric]}`);
}

/** A JSON document of a run, or a vocabulary map as JSON. @throws InvalidInputError `FILE_UNKNOWN` where it is none of ours */
export function inspectDocument(bytes: Uint8Array, what: string, context: InspectionContext): Inspection {
  const text = new TextDecoder().decode(bytes);
  let value: unknown;
  try {
    const problem = findJsonKeyProblem(text, MAX_DEPTH, quote, MAX_VALUES);
    if (problem !== null) throw new Error(problem);
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidInputError("FILE_UNKNOWN", `${what}: expected JSON: ${(error as Error).message}`);
  }
  if (isVocabularyMapJson(value)) return inspectPlainMap(bytes, what, context);
  for (const inspect of DOCUMENTS) {
    const found = inspect(value);
    if (found !== null) return found;
  }
  throw new InvalidInputError(
    "FILE_UNKNOWN",
    `${what}: expected a plan, manifest, selection, summary, status, registry entry or vocabulary map; it is JSON of another form`,
  );
}
