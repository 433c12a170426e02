import { type Tensor, writeSafetensors } from "../../formats/safetensors.ts";
import type { EncodedSample, SampleTarget } from "../../ports/engine.ts";

/** No knowledge for this sample. */
const NOT_SELECTED = -2;

/** Samples one after the other: `ids` and `answer` [ΣT], `lengths` [S]. */
export function writeSamples(samples: readonly Pick<EncodedSample, "ids" | "answer">[]): Uint8Array {
  return writeSafetensors(sampleTensors(samples));
}

/**
 * Samples with what they learn from knowledge. Of all samples together A aligned positions, E kept entries: `partition` [S]
 * (−2: not selected, −1: tokens), `aligned` [S], `positions`, `kept` and `tail` [A], `entries` and `probabilities` [E];
 * `partitions` [G, V] where there are any.
 */
export function writeLessons(
  samples: readonly EncodedSample[],
  targets: readonly (SampleTarget | null)[] | undefined,
  partitions: readonly Int32Array[] = [],
): Uint8Array {
  const tensors = sampleTensors(samples);
  if (targets) {
    const selected = targets.filter((target) => target !== null);
    Object.assign(tensors, {
      partition: int32(targets.map((target) => target?.partition ?? NOT_SELECTED)),
      aligned: int32(targets.map((target) => target?.positions.length ?? 0)),
      positions: int32(selected.flatMap(({ positions }) => [...positions])),
      kept: int32(selected.flatMap(({ offsets }) => Array.from(offsets.subarray(1), (end, at) => end - offsets[at]))),
      entries: int32(selected.flatMap(({ entries }) => [...entries])),
      probabilities: float32(selected.flatMap(({ probabilities }) => [...probabilities])),
      tail: float32(selected.flatMap(({ tail }) => [...tail])),
    });
    if (partitions.length > 0) {
      const all = int32(partitions.flatMap((partition) => [...partition]));
      tensors.partitions = { ...all, shape: [partitions.length, partitions[0].length] };
    }
  }
  return writeSafetensors(tensors);
}

function sampleTensors(samples: readonly Pick<EncodedSample, "ids" | "answer">[]): Record<string, Tensor> {
  const answer = Uint8Array.from(samples.flatMap((sample) => [...sample.answer]));
  return {
    ids: int32(samples.flatMap(({ ids }) => [...ids])),
    answer: { dtype: "U8", shape: [answer.length], data: answer },
    lengths: int32(samples.map(({ ids }) => ids.length)),
  };
}

function int32(numbers: readonly number[]): Tensor {
  return { dtype: "I32", shape: [numbers.length], data: Int32Array.from(numbers) };
}

function float32(numbers: readonly number[]): Tensor {
  return { dtype: "F32", shape: [numbers.length], data: Float32Array.from(numbers) };
}
