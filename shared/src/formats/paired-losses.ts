import { InvalidInputError } from "../core/errors.ts";
import type { Knowledge } from "../core/knowledge.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

/** Both sides' losses on a shard's samples: the little that selection needs of two large shards. S samples. */
export interface PairedLosses {
  /** [S] nats, summed over the answer */
  sourceNats: Float64Array;
  /** [S] */
  targetNats: Float64Array;
  /** [S] UTF-8 bytes of the answer, the same for both */
  answerBytes: Int32Array;
}

/** @throws InvalidInputError `SAMPLES_DIFFER` where the two sides count an answer's bytes differently */
export function writePairedLosses(source: Knowledge, target: Knowledge): Uint8Array {
  const samples = source.lossNats.length;
  source.answerBytes.forEach((bytes, index) => {
    if (bytes !== target.answerBytes[index])
      throw new InvalidInputError(
        "SAMPLES_DIFFER",
        `sample ${index}: the source counts ${bytes} answer bytes, the target ${target.answerBytes[index]}`,
      );
  });
  return writeSafetensors(
    {
      source_nats: { dtype: "F64", shape: [samples], data: source.lossNats },
      target_nats: { dtype: "F64", shape: [samples], data: target.lossNats },
      answer_bytes: { dtype: "I32", shape: [samples], data: source.answerBytes },
    },
    { format: "fedmkt.paired-losses", version: "1" },
  );
}

/** @throws InvalidInputError `LOSSES_INVALID` naming the file */
export function readPairedLosses(bytes: Uint8Array, what: string): PairedLosses {
  const { tensors, metadata } = readSafetensors(bytes, what);
  const sourceNats = tensors.get("source_nats")?.data;
  const targetNats = tensors.get("target_nats")?.data;
  const answerBytes = tensors.get("answer_bytes")?.data;
  if (
    metadata.format !== "fedmkt.paired-losses" ||
    !(sourceNats instanceof Float64Array) ||
    !(targetNats instanceof Float64Array) ||
    !(answerBytes instanceof Int32Array) ||
    sourceNats.length !== targetNats.length ||
    sourceNats.length !== answerBytes.length
  )
    throw new InvalidInputError("LOSSES_INVALID", `${what}: expected losses of two parties on the same samples`);
  const bad = sourceNats.findIndex(
    (nats, index) =>
      !Number.isFinite(nats + targetNats[index]) || nats < 0 || targetNats[index] < 0 || answerBytes[index] < 1,
  );
  if (bad >= 0)
    throw new InvalidInputError(
      "LOSSES_INVALID",
      `${what}: sample ${bad}: expected finite losses and at least one answer byte, got ${sourceNats[bad]}, ${targetNats[bad]}, ${answerBytes[bad]}`,
    );
  return { sourceNats, targetNats, answerBytes };
}
