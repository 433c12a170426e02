import { relative, resolve } from "node:path";
import type { TrainingRecord } from "@fedmkt/shared/contracts/training-record.ts";
import type { Sample } from "@fedmkt/shared/core/samples/sample.ts";
import { formatBytes, formatValue } from "@fedmkt/shared/report/table.ts";
import type { TuningOutcome } from "@fedmkt/shared/use-cases/fine-tune.ts";
import type { CommandContext, Outcome } from "../command.ts";
import { count } from "../count.ts";
import { heldOutLoss } from "./training-result.ts";

/** A held-out loss as a line. */
export function describeHeldOut(score: TrainingRecord["heldOut"][number]): string {
  const { epoch, bitsPerByte, natsPerToken } = heldOutLoss(score);
  const when = epoch === 0 ? "before" : `epoch ${epoch}`;
  return `held out, ${when}: ${formatValue(bitsPerByte)} bits/byte, ${formatValue(natsPerToken)} nats/token`;
}

/** What is about to be trained, as a line. */
export function introduceTraining(
  samples: readonly Sample[],
  heldOut: readonly Sample[],
  trainable: number,
  parameters: number,
): string {
  const scored = heldOut.length === 0 ? "" : `, ${heldOut.length} held out`;
  return `${count(samples.length, "sample")}${scored}; ${trainable} of ${parameters} parameters are trained`;
}

/** What a training came to. */
export function reportTraining(
  { args, io }: CommandContext,
  samples: number,
  outcome: TuningOutcome,
  wallTimeMs: number,
): Outcome {
  const folder = resolve(io.cwd, args.out as string);
  const below = relative(io.cwd, folder);
  const heldOut = outcome.record.heldOut.map(heldOutLoss);
  const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
  return {
    data: {
      folder,
      samples,
      steps: outcome.steps,
      lossByEpoch: outcome.lossByEpoch,
      heldOut,
      wallTimeMs: Math.round(wallTimeMs),
      peakMemoryBytes,
      reused: false,
    },
    text: [
      `${below.startsWith("..") || below === "" ? folder : below}: ${count(outcome.steps, "step")}, loss by epoch ${outcome.lossByEpoch.map(formatValue).join(", ")} nats/token`,
      ...outcome.record.heldOut.map((score) => `  ${describeHeldOut(score)}`),
      `  ${(wallTimeMs / 1000).toFixed(1)} s, ${formatBytes(peakMemoryBytes)} at most`,
    ].join("\n"),
  };
}
