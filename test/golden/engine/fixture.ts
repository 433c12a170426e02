import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { readSafetensors } from "../../../shared/src/formats/safetensors.ts";
import type { EncodedSample, OpenModel, SampleTarget, TrainOptions } from "../../../shared/src/ports/engine.ts";

/** What scripts/fixtures/engine.py wrote. */
export const fixtures = resolve(import.meta.dirname, "../fixtures/engine");

export const fixture = JSON.parse(readFileSync(resolve(fixtures, "fixture.json"), "utf8"));

interface JsonTarget {
  positions: number[];
  offsets: number[];
  entries: number[];
  probabilities: number[];
  tail: number[];
  partition: number;
}

export interface TrainingCase {
  folder: string;
  lora: NonNullable<OpenModel["lora"]>;
  samples: { ids: number[]; answer: number[] }[];
  targets?: (JsonTarget | null)[];
  partitions?: number[][];
  lambda: number;
  temperature: number;
  training: TrainOptions["training"];
  losses: number[];
  /** gradient norms before clipping; none where nothing is clipped */
  norms: number[];
}

export function samplesOf(samples: TrainingCase["samples"], bytes: readonly number[] = []): EncodedSample[] {
  return samples.map(({ ids, answer }, index) => ({
    ids: Int32Array.from(ids),
    answer: Uint8Array.from(answer),
    answerBytes: bytes[index] ?? 0,
  }));
}

/** The case's ten steps: every step takes all samples, so that their order does not matter. */
export function optionsOf(wanted: Omit<TrainingCase, "lora">): TrainOptions {
  const { lambda, temperature, training, partitions } = wanted;
  return {
    samples: samplesOf(wanted.samples),
    ...(wanted.targets ? { targets: wanted.targets.map((target) => target && targetOf(target)) } : {}),
    ...(partitions ? { partitions: partitions.map((partition) => Int32Array.from(partition)) } : {}),
    lambda,
    temperature,
    epochs: wanted.losses.length,
    training,
    seed: 1,
  };
}

function targetOf(target: JsonTarget): SampleTarget {
  return {
    positions: Int32Array.from(target.positions),
    offsets: Int32Array.from(target.offsets),
    entries: Int32Array.from(target.entries),
    probabilities: Float32Array.from(target.probabilities),
    tail: Float32Array.from(target.tail),
    partition: target.partition,
  };
}

export function readFixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(resolve(fixtures, name)));
}

/** @returns the worst tensor's distance ‖got − expected‖ / ‖expected‖ */
export function worstDifference(got: Uint8Array, expected: Uint8Array): number {
  const ours = readSafetensors(got, "ours").tensors;
  const theirs = readSafetensors(expected, "PyTorch's").tensors;
  let worst = [...ours.keys()].every((name) => theirs.has(name)) ? 0 : Number.POSITIVE_INFINITY;
  for (const [name, tensor] of theirs) {
    const data = ours.get(name)?.data;
    if (!data) return Number.POSITIVE_INFINITY;
    worst = Math.max(worst, distance(data as Float32Array, tensor.data as Float32Array));
  }
  return worst;
}

/** @returns ‖got − expected‖ / ‖expected‖ */
export function distance(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = got.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  let size = 0;
  for (let index = 0; index < expected.length; index++) {
    difference += (got[index] - expected[index]) ** 2;
    size += expected[index] ** 2;
  }
  return Math.sqrt(difference / size);
}
