import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { describeValue } from "@fedmkt/shared/formats/describe-value.ts";
import { readJsonLines } from "@fedmkt/shared/formats/jsonl.ts";
import { quote } from "@fedmkt/shared/formats/quote.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";
import { doublingBins, formatBins, partOf, spreadOf } from "./figures.ts";
import { formatCount, requireIndex } from "./inspect-knowledge.ts";
import type { Inspection, InspectionContext } from "./inspection.ts";

/** Longest file and line: a text's tokens, a million of them. */
export const MAX_ALIGNMENT_BYTES = 512 * 1024 * 1024;
const MAX_LINE_BYTES = 64 * 1024 * 1024;

type Token = string | number;
interface AlignedText {
  sourceTokens: Token[];
  targetTokens: Token[];
  /** ascending; none where a target token belongs to no source token */
  sourcesOfTarget: number[][];
}
const FIELDS = ["sourceTokens", "targetTokens", "sourcesOfTarget"] as const;

/** Whether a text may be what `fedmkt align` writes. */
export function isAlignment(firstLine: string): boolean {
  return firstLine.startsWith('{"sourceTokens":');
}

/**
 * What `fedmkt align` wrote: a line a text, each target token with the source tokens that it belongs to.
 * @throws InvalidInputError `ALIGNMENT_INVALID` naming the line, `JSONL_…`
 */
export function inspectAlignment(bytes: Uint8Array, what: string, context: InspectionContext): Inspection {
  let sample: { lines: string[]; details: Record<string, unknown> } | null = null;
  const count = { texts: 0, source: 0, target: 0, aligned: 0, oneToOne: 0, usedSources: 0, sameText: 0 };
  const sourcesOfAligned: number[] = [];
  for (const { line, value } of readJsonLines(bytes, what, { maxLineBytes: MAX_LINE_BYTES })) {
    const text = readText(value, `${what}, line ${line}`);
    const { sourceTokens, targetTokens, sourcesOfTarget } = text;
    const takers = new Int32Array(sourceTokens.length);
    for (const sources of sourcesOfTarget) for (const source of sources) takers[source]++;
    sourcesOfTarget.forEach((sources, target) => {
      if (sources.length === 0) return;
      count.aligned++;
      sourcesOfAligned.push(sources.length);
      if (sources.length === 1 && takers[sources[0]] === 1) count.oneToOne++;
      if (sources.length === 1 && sourceTokens[sources[0]] === targetTokens[target]) count.sameText++;
    });
    count.source += sourceTokens.length;
    count.target += targetTokens.length;
    count.usedSources += takers.filter((taken) => taken > 0).length;
    if (count.texts === (context.sample ?? 0)) sample = describeText(text, count.texts, context, what);
    count.texts++;
  }
  if (context.sample !== null) requireIndex(context.sample, count.texts, `${what}: --sample`);
  const bins = doublingBins(sourcesOfAligned);
  return {
    kind: "alignment of texts",
    facts: {
      texts: count.texts,
      size: { value: bytes.length, text: formatBytes(bytes.length) },
      "source tokens": count.source,
      "target tokens": count.target,
      "target tokens aligned": partOf(count.aligned, count.target),
      "of them one to one": partOf(count.oneToOne, count.aligned),
      "of them with an equal token": partOf(count.sameText, count.aligned),
      "source tokens used": partOf(count.usedSources, count.source),
      "source tokens of an aligned target token": spreadOf(sourcesOfAligned, formatCount),
    },
    lines: [`source tokens of an aligned target token: ${formatBins(bins, count.aligned)}`, ...(sample?.lines ?? [])],
    details: { sourcesOfAlignedTarget: bins, ...sample?.details },
  };
}

function readText(value: unknown, what: string): AlignedText {
  const refuse = (reason: string) => new InvalidInputError("ALIGNMENT_INVALID", `${what}: ${reason}`);
  const fields = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  for (const field of FIELDS)
    if (!Array.isArray(fields[field])) throw refuse(`${field}: expected a list, got ${describeValue(fields[field])}`);
  const text = fields as unknown as AlignedText;
  const { sourceTokens, targetTokens, sourcesOfTarget } = text;
  for (const list of [sourceTokens, targetTokens])
    if (!list.every((token) => typeof token === "string" || typeof token === "number"))
      throw refuse("expected tokens as texts or ids, got others");
  if (sourcesOfTarget.length !== targetTokens.length)
    throw refuse(`expected sources of ${targetTokens.length} target tokens, got of ${sourcesOfTarget.length}`);
  sourcesOfTarget.forEach((sources, target) => {
    const expected = `target token ${target}: expected ascending source tokens below ${sourceTokens.length}`;
    if (!Array.isArray(sources)) throw refuse(`${expected}, got ${describeValue(sources)}`);
    const bad = sources.findIndex((source, at) => {
      const least = at > 0 ? sources[at - 1] + 1 : 0;
      return !Number.isInteger(source) || source < least || source >= sourceTokens.length;
    });
    if (bad >= 0) throw refuse(`${expected}, got ${quote(sources[bad])}`);
  });
  return text;
}

function describeText(
  { sourceTokens, targetTokens, sourcesOfTarget }: AlignedText,
  index: number,
  context: InspectionContext,
  what: string,
) {
  if (context.position !== null) requireIndex(context.position, targetTokens.length, `${what}: --position`);
  const targets = [...targetTokens.keys()].filter((target) => context.position === null || target === context.position);
  const shown = targets.slice(0, context.limit).map((target) => ({
    target,
    token: targetTokens[target],
    sources: sourcesOfTarget[target].map((source) => ({ source, token: sourceTokens[source] })),
  }));
  const more = targets.length - shown.length;
  return {
    lines: [
      `text ${index}: ${targetTokens.length} target tokens, ${sourceTokens.length} source tokens`,
      ...shown.map(
        ({ target, token, sources }) =>
          `  ${target} ${JSON.stringify(token)} ← ${sources.map(({ source, token }) => `${source} ${JSON.stringify(token)}`).join(", ") || "nothing"}`,
      ),
      ...(more > 0 ? [`  and ${more} more: --limit ${targets.length} shows them all`] : []),
    ],
    details: { text: index, targets: shown },
  };
}
