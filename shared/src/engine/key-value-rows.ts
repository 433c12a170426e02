import type { Architecture } from "./architectures/architecture.ts";
import type { HostTensor } from "./session.ts";

/** The graph's input with a block's keys or values of the texts so far. */
export const keptName = (kind: "keys" | "values", layer: number) => `kept:${kind}:${layer}`;

/** Slots are added by a share of those there are, so that all copying costs a text's length alone; empty ones cost time. */
const SHARE_ADDED = 1 / 8;
/**
 * Slots come in multiples of so many. Sums over a text's keys are taken in lanes of at most as many numbers: empty slots between the
 * kept keys and the new ones then change no sum's order, and a text's numbers do not depend on how long the others are.
 */
const SLOTS_TOGETHER = 64;
/** Where so many times the slots that are needed are there, they are given back. */
const TOO_MANY = 2;

/**
 * Keys and values of several texts in every block, each text in a row of its own: one tensor for a block's keys and one for its
 * values, [places, keyValueHeads, slots, headSize], in memory that grows with the texts. The rows stand without gaps, so that the
 * first ones are a tensor too, and none is copied for a run.
 */
export class KeyValueRows {
  readonly #architecture: Architecture;
  readonly #most: number;
  readonly #lengths: number[] = [];
  readonly #views = new Map<string, Record<string, HostTensor>>();
  #places = 0;
  #slots = 0;
  /** by block, keys before values */
  #tensors: Float32Array[] = [];

  /** @param most - rows that there may be */
  constructor(architecture: Architecture, most: number) {
    this.#architecture = architecture;
    this.#most = most;
  }

  /** Tokens of each row whose keys and values are kept. */
  get lengths(): readonly number[] {
    return this.#lengths;
  }

  /** Tokens that fit into a row. */
  get slots(): number {
    return this.#slots;
  }

  /** Adds an empty row behind the others. */
  add(): void {
    this.#lengths.push(0);
    if (this.#lengths.length > this.#places) this.#resize(Math.min(this.#most, 2 * this.#places || 1), this.#slots);
  }

  /** Puts a row in another's place. */
  move(from: number, to: number): void {
    const length = this.#lengths[from] * this.#architecture.attention.headSize;
    this.#eachPart(from, (tensor, begin, head) => tensor.copyWithin(this.#begin(to, head), begin, begin + length));
    this.#lengths[to] = this.#lengths[from];
  }

  /** Takes the last row away. */
  removeLast(): void {
    this.#lengths.pop();
  }

  /** Makes room for so many tokens more in each of the rows from `begin` to `end`, and gives back what is far too much. */
  reserve(begin: number, end: number, more: number): void {
    let needed = 0;
    for (let row = 0; row < this.#lengths.length; row++)
      needed = Math.max(needed, this.#lengths[row] + (row >= begin && row < end ? more : 0));
    const most = Math.max(needed, this.#architecture.contextTokens);
    const roomy = (slots: number) =>
      SLOTS_TOGETHER * Math.ceil(Math.min(most, Math.max(needed, slots + slots * SHARE_ADDED)) / SLOTS_TOGETHER);
    if (needed > this.#slots) this.#resize(this.#places, roomy(this.#slots));
    else if (this.#slots > TOO_MANY * roomy(needed)) this.#resize(this.#places, roomy(needed));
  }

  /** @returns the graph's inputs: [end − begin, keyValueHeads, slots, headSize] each, good until rows are added or room is reserved */
  feeds(begin: number, end: number): Record<string, HostTensor> {
    const key = `${begin} ${end}`;
    const known = this.#views.get(key);
    if (known) return known;
    const { keyValueHeads, headSize } = this.#architecture.attention;
    const shape = [end - begin, keyValueHeads, this.#slots, headSize];
    const view: Record<string, HostTensor> = {};
    this.#tensors.forEach((tensor, index) => {
      const name = keptName(index % 2 === 0 ? "keys" : "values", index >> 1);
      view[name] = { data: tensor.subarray(this.#begin(begin, 0), this.#begin(end, 0)), shape };
    });
    this.#views.set(key, view);
    return view;
  }

  /**
   * Takes new tokens' keys and values, for which there is room.
   * @param fresh - [blocks × 2, rows, keyValueHeads, count, headSize]
   */
  append(fresh: Float32Array, begin: number, end: number, count: number): void {
    const { keyValueHeads, headSize } = this.#architecture.attention;
    const length = count * headSize;
    let from = 0;
    for (const tensor of this.#tensors)
      for (let row = begin; row < end; row++)
        for (let head = 0; head < keyValueHeads; head++, from += length)
          copyInto(tensor, this.#begin(row, head) + this.#lengths[row] * headSize, fresh, from, length);
    for (let row = begin; row < end; row++) this.#lengths[row] += count;
  }

  /** @returns [blocks × 2, keyValueHeads, count, headSize] of a row's tokens from `first` on */
  read(row: number, first: number, count: number): Float32Array {
    const { headSize } = this.#architecture.attention;
    const length = count * headSize;
    const found = new Float32Array(this.#tensors.length * this.#architecture.attention.keyValueHeads * length);
    let to = 0;
    this.#eachPart(row, (tensor, begin) => {
      copyInto(found, to, tensor, begin + first * headSize, length);
      to += length;
    });
    return found;
  }

  /** Appends to a row, where there is room, the first `count` of the tokens that {@link read} has given. */
  write(row: number, tokens: Float32Array, count: number): void {
    const { keyValueHeads, headSize } = this.#architecture.attention;
    const length = tokens.length / (this.#tensors.length * keyValueHeads);
    let from = 0;
    this.#eachPart(row, (tensor, begin) => {
      copyInto(tensor, begin + this.#lengths[row] * headSize, tokens, from, count * headSize);
      from += length;
    });
    this.#lengths[row] += count;
  }

  #begin(row: number, head: number): number {
    const { keyValueHeads, headSize } = this.#architecture.attention;
    return (row * keyValueHeads + head) * this.#slots * headSize;
  }

  /** Each head's tokens lie together, with room behind them. */
  #eachPart(row: number, visit: (tensor: Float32Array, begin: number, head: number) => void): void {
    for (const tensor of this.#tensors)
      for (let head = 0; head < this.#architecture.attention.keyValueHeads; head++)
        visit(tensor, this.#begin(row, head), head);
  }

  #resize(places: number, slots: number): void {
    const { blocks, attention } = this.#architecture;
    const { keyValueHeads, headSize } = attention;
    const old = this.#slots * headSize;
    this.#views.clear();
    for (let index = 0; index < 2 * blocks; index++) {
      const grown = new Float32Array(places * keyValueHeads * slots * headSize);
      const tensor = this.#tensors[index];
      if (tensor)
        this.#lengths.forEach((length, row) => {
          for (let part = row * keyValueHeads; part < (row + 1) * keyValueHeads; part++)
            copyInto(grown, part * slots * headSize, tensor, part * old, length * headSize);
        });
      this.#tensors[index] = grown;
    }
    this.#places = places;
    this.#slots = slots;
  }
}

/** Up to so many numbers a loop is faster than a view that is made to be copied. */
const SHORT = 256;

function copyInto(to: Float32Array, at: number, from: Float32Array, begin: number, length: number): void {
  if (length > SHORT) to.set(from.subarray(begin, begin + length), at);
  else for (let index = 0; index < length; index++) to[at + index] = from[begin + index];
}
