import { type BitCoder, EVEN_ODDS, learn } from "./range-coder.ts";

/** A place's own model forgets faster than the others: what is likely drifts along a text. */
const PLACE_MEMORY = 30;
const BUCKETS = 48;
/** whether the reference occupies the child, and the other child, or there is none; how long ago; which child */
const AGES = 6;
const CONTEXTS = 5 * AGES * 2;
/** Positions are counted from here, so that what memory begins with, 0, means long ago, and never. */
const FIRST_POSITION = 65;
const MAX_DEPTH = 21;

/** Kinds of a probability in 4,096ths: by the magnitude of the smaller of it and its complement, two to an octave. */
const BUCKET = Uint8Array.from({ length: 4096 }, (_, probability) => {
  const smaller = Math.min(probability, 4095 - probability) + 1;
  const octave = 31 - Math.clz32(smaller);
  const bucket = 2 * octave + (octave > 0 ? (smaller >> (octave - 1)) & 1 : 0);
  return probability < 2048 ? bucket : BUCKETS - 1 - bucket;
});

/** Leaves of the binary tree over all token ids: a power of 2, at least 2. */
export function countLeaves(vocabularySize: number): number {
  return Math.max(2, 2 ** Math.ceil(Math.log2(vocabularySize)));
}

/** Models that coding sets takes. */
export function countSetModels(): number {
  return CONTEXTS * BUCKETS;
}

/** Kinds of how many positions ago, up to 65 and more. */
const AGE = Uint8Array.from({ length: FIRST_POSITION + 1 }, (_, ago) =>
  ago <= 2 ? Math.max(0, ago - 1) : ago <= 4 ? 2 : ago <= 16 ? 3 : ago <= 64 ? 4 : 5,
);

/** What is kept of a node's children lies side by side, the left one's before the right one's, since memory is what takes time. */
const NODE_SIZE = 8;
/** its own model */
const PLACE = 0;
/** when it was last occupied, is occupied by the reference's set, and by the set to be written */
const OCCUPIED = 2;
const EXPECTED = 4;
const WANTED = 6;

/**
 * Codes the set of token ids of one position after the other, without an order and without its size: down a binary tree over all
 * ids, whether a token stands below the left child and, if so, below the right one. An answer is expected by how often
 * it was yes at that place, by how long ago it last was, and by the set of the last position after the same token, its reference.
 */
export class TokenSets {
  readonly #coder: BitCoder;
  readonly #leaves: number;
  readonly #nodes: Int32Array;
  readonly #stack = new Int32Array(MAX_DEPTH);

  /** Takes the first {@link countSetModels} of the coder's models. */
  constructor(coder: BitCoder, leaves: number) {
    this.#coder = coder;
    this.#leaves = leaves;
    this.#nodes = new Int32Array(NODE_SIZE * leaves);
    for (let node = 0; node < this.#nodes.length; node += NODE_SIZE) {
      this.#nodes[node + PLACE] = EVEN_ODDS;
      this.#nodes[node + PLACE + 1] = EVEN_ODDS;
    }
  }

  /** Says which ids a position's set is expected to resemble. */
  expect(position: number, ids: Int32Array): void {
    this.#mark(EXPECTED, FIRST_POSITION + position, ids);
  }

  /** Says which ids are to be written. */
  want(position: number, ids: Int32Array): void {
    this.#mark(WANTED, FIRST_POSITION + position, ids);
  }

  /**
   * @param hasReference - whether {@link expect} was called for this position
   * @param ids - filled with the set, ascending
   * @returns how many; -1 where they are more than `ids` holds
   */
  code(position: number, hasReference: boolean, ids: Int32Array): number {
    const time = FIRST_POSITION + position;
    const leaves = this.#leaves;
    const nodes = this.#nodes;
    const stack = this.#stack;
    let count = 0;
    let waiting = 0;
    let node = 1;
    while (true) {
      if (node >= leaves) {
        if (count === ids.length) return -1;
        ids[count++] = node - leaves;
        if (waiting === 0) return count;
        node = stack[--waiting];
        continue;
      }
      const left = NODE_SIZE * node;
      const isLeft = this.#ask(left, time, hasReference, 0);
      if (isLeft === 1) nodes[left + OCCUPIED] = time;
      const isRight = isLeft === 0 ? 1 : this.#ask(left, time, hasReference, 1);
      if (isRight === 1) nodes[left + OCCUPIED + 1] = time;
      node *= 2;
      if (isLeft === 0) node++;
      else if (isRight === 1) stack[waiting++] = node + 1;
    }
  }

  #ask(node: number, time: number, hasReference: boolean, side: number): number {
    const coder = this.#coder;
    const nodes = this.#nodes;
    const child = node + side;
    const likeness = hasReference
      ? (nodes[child + EXPECTED] === time ? 2 : 0) + (nodes[node + EXPECTED + 1 - side] === time ? 1 : 0)
      : 4;
    const ago = time - nodes[child + OCCUPIED];
    const age = AGE[ago < FIRST_POSITION ? ago : FIRST_POSITION];
    const model = BUCKETS * (2 * (AGES * likeness + age) + side) + BUCKET[nodes[child + PLACE] >> 12];
    const bit = coder.code(model, nodes[child + WANTED] === time ? 1 : 0);
    learn(nodes, child + PLACE, bit, PLACE_MEMORY);
    return bit;
  }

  #mark(kind: number, time: number, ids: Int32Array): void {
    const nodes = this.#nodes;
    for (let at = 0; at < ids.length; at++)
      for (let node = ids[at] + this.#leaves; node > 1; node >>= 1) {
        const mark = NODE_SIZE * (node >> 1) + kind + (node & 1);
        if (nodes[mark] === time) break;
        nodes[mark] = time;
      }
  }
}
