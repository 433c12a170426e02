import type { LinearSpec } from "./layers/layer-context.ts";
import { STACK_SCALE } from "./layers/linear-with-lora.ts";
import type { RunTimeAdapter } from "./run-time-adapter.ts";
import type { HostTensor } from "./session.ts";

/** The graph's inputs for a linear layer's adapters. */
export function stackNames(linear: string): { down: string; up: string; scales: string } {
  return { down: `lora:down:${linear}`, up: `lora:up:${linear}`, scales: `lora:scales:${linear}` };
}

/** Adapters that no row uses stay in the stack while they make it no larger than this: putting it together costs a copy. */
const MOST_UNUSED = 1;

/**
 * The adapters of a run's rows, one below the other in each layer, so that one product serves them all: x·Aᵀ of every adapter, of
 * which each row keeps its own, times B. What it costs grows with the sum of their ranks, not with the rows; a single adapter's
 * matrices are taken as they lie.
 */
export class AdapterStack {
  readonly #linears: readonly LinearSpec[];
  #stacked: readonly RunTimeAdapter[] = [];
  #matrices: Record<string, HostTensor> = {};
  /** by layer: which of the stack adapt it */
  #owners = new Map<string, readonly RunTimeAdapter[]>();
  #last: { rows: readonly (RunTimeAdapter | null)[]; feeds: Record<string, HostTensor> } | null = null;

  /** @param linears - the layers at which the graph takes adapters */
  constructor(linears: readonly LinearSpec[]) {
    this.#linears = linears;
    this.#stack([]);
  }

  /** @param rows - of each row of the run, batch × tokens; null: none */
  feeds(rows: readonly (RunTimeAdapter | null)[]): Readonly<Record<string, HostTensor>> {
    if (this.#last && isSame(this.#last.rows, rows)) return this.#last.feeds;
    const used = [...new Set(rows)].filter((adapter) => adapter !== null);
    if (!this.#fits(used)) this.#stack(used);
    const feeds: Record<string, HostTensor> = { ...this.#matrices };
    const known = new Map<readonly RunTimeAdapter[], HostTensor>();
    for (const { name } of this.#linears) {
      const owners = this.#owners.get(name)!;
      const scales = known.get(owners) ?? scalesOf(owners, rows);
      known.set(owners, scales);
      feeds[stackNames(name).scales] = scales;
    }
    this.#last = { rows: [...rows], feeds };
    return feeds;
  }

  #fits(used: readonly RunTimeAdapter[]): boolean {
    if (!used.every((adapter) => this.#stacked.includes(adapter))) return false;
    return ranksOf(this.#stacked) <= (1 + (used.length > 1 ? MOST_UNUSED : 0)) * ranksOf(used);
  }

  #stack(adapters: readonly RunTimeAdapter[]): void {
    this.#stacked = adapters;
    this.#matrices = {};
    this.#owners = new Map();
    const distinct = new Map<string, readonly RunTimeAdapter[]>();
    for (const { name, ...size } of this.#linears) {
      const owners = adapters.filter(({ layers }) => layers.has(name));
      const key = owners.map((owner) => adapters.indexOf(owner)).join(" ");
      if (!distinct.has(key)) distinct.set(key, owners);
      this.#owners.set(name, distinct.get(key)!);
      const names = stackNames(name);
      const ranks = ranksOf(owners);
      const below = (side: "down" | "up", width: number): HostTensor => ({
        data: joined(owners.map(({ layers }) => layers.get(name)![side])),
        shape: [ranks, width],
      });
      this.#matrices[names.down] = below("down", size.in);
      this.#matrices[names.up] = below("up", size.out);
    }
  }
}

function isSame<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((item, index) => item === other[index]);
}

function ranksOf(adapters: readonly RunTimeAdapter[]): number {
  return adapters.reduce((sum, { rank }) => sum + rank, 0);
}

function joined(matrices: readonly Float32Array[]): Float32Array {
  if (matrices.length === 1) return matrices[0];
  const whole = new Float32Array(matrices.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const matrix of matrices) {
    whole.set(matrix, at);
    at += matrix.length;
  }
  return whole;
}

/** @returns [rows, R] */
function scalesOf(owners: readonly RunTimeAdapter[], rows: readonly (RunTimeAdapter | null)[]): HostTensor {
  const width = ranksOf(owners);
  const data = new Float32Array(rows.length * width);
  rows.forEach((adapter, row) => {
    let begin = row * width;
    for (const owner of owners) {
      if (owner === adapter) data.fill(STACK_SCALE * owner.scale, begin, begin + owner.rank);
      begin += owner.rank;
    }
  });
  return { data, shape: [rows.length, width] };
}
