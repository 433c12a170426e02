import type { Knowledge } from "../../core/knowledge.ts";
import type { Refuse } from "../named-tensors.ts";
import {
  decodeTail,
  encodeTail,
  LADDER,
  Ladder,
  logProbabilityAt,
  MAX_SHIFT,
  TAIL_CODES,
} from "./probability-ladder.ts";
import { type BitCoder, newModels } from "./range-coder.ts";
import { countLeaves, countSetModels, TokenSets } from "./token-sets.ts";

const RUNG_BITS = 9;
/** How far an entry's rung lies above its position's deepest: in so many bits, and what is more as a number. */
const RISE_BITS = 6;
const MOST_RISE = (1 << RISE_BITS) - 1;
const RISE_KINDS = 16;
/** A number's models: of its length in bits, and of each bit for each length. */
const LENGTH_BITS = 5;
const NUMBER_MODELS = 32 + 32 * 32;
/** Token ids lie below 2^20, so that an id and a rung fit one sortable number. */
const ID_BITS = 20;

/** Where each kind of question keeps its models, after those of the token sets. */
function placeModels(leaves: number) {
  let end = countSetModels();
  const take = (count: number) => {
    end += count;
    return end - count;
  };
  return {
    token: take(leaves),
    rise: take(RISE_KINDS * RISE_KINDS * (MOST_RISE + 1)),
    deepestRung: take(1 << RUNG_BITS),
    sameBytes: take(1),
    tokenCount: take(NUMBER_MODELS),
    tokenBytes: take(NUMBER_MODELS),
    positionCount: take(NUMBER_MODELS),
    promptPositions: take(NUMBER_MODELS),
    answerBytes: take(NUMBER_MODELS),
    stepBack: take(NUMBER_MODELS),
    tail: take(NUMBER_MODELS),
    shift: take(NUMBER_MODELS),
    furtherRise: take(NUMBER_MODELS),
    end,
  };
}

/** The models that {@link KnowledgeCodec} asks. */
export function newKnowledgeModels(vocabularySize: number): Int32Array {
  const { furtherRise } = placeModels(countLeaves(vocabularySize));
  return newModels(furtherRise + NUMBER_MODELS);
}

/**
 * Codes {@link Knowledge} but for sample ids and losses, sample by sample. One program writes and reads: what it reads it puts
 * into the arrays that it would write from.
 */
export class KnowledgeCodec {
  /** [P] by how much each position's rungs are moved */
  readonly shifts: Int32Array;
  readonly #coder: BitCoder;
  readonly #knowledge: Knowledge;
  readonly #leafBits: number;
  readonly #models: ReturnType<typeof placeModels>;
  readonly #sets: TokenSets;
  /** [E] beside topIds */
  readonly #rungs: Int16Array;
  /** by token: the last position after it; its last occurrence's bytes; how far it last rose, and rose in the reference */
  readonly #lastPosition: Int32Array;
  readonly #lastBytes: Float64Array;
  readonly #lastRise: Int16Array;
  readonly #expectedRise: Int16Array;

  constructor(coder: BitCoder, knowledge: Knowledge, vocabularySize: number) {
    const leaves = countLeaves(vocabularySize);
    this.#coder = coder;
    this.#knowledge = knowledge;
    this.#leafBits = Math.log2(leaves);
    this.#models = placeModels(leaves);
    this.#sets = new TokenSets(coder, leaves);
    this.shifts = new Int32Array(knowledge.positions.length);
    this.#rungs = new Int16Array(knowledge.topIds.length);
    this.#lastPosition = new Int32Array(leaves).fill(-1);
    this.#lastBytes = new Float64Array(leaves).fill(-1);
    this.#lastRise = new Int16Array(leaves).fill(-1);
    this.#expectedRise = new Int16Array(leaves).fill(-1);
  }

  /** Writes all of the knowledge, as {@link checkKnowledge} accepts it. */
  write(refuse: Refuse): void {
    const { lossNats, positionOffsets, entryOffsets } = this.#knowledge;
    let most = 0;
    for (let at = 1; at < entryOffsets.length; at++) most = Math.max(most, entryOffsets[at] - entryOffsets[at - 1]);
    const ladder = new Ladder(most);
    const ids = new Int32Array(most);
    const byId = new Int32Array(most);
    for (let sample = 0; sample < lossNats.length; sample++) {
      this.#codeSample(sample, refuse);
      for (let at = positionOffsets[sample]; at < positionOffsets[sample + 1]; at++)
        this.#writePosition(sample, at, ladder, ids, byId);
    }
  }

  /**
   * Reads all of the knowledge into arrays of the right lengths.
   *
   * @param excess - bytes read beyond the last
   */
  read(topK: number, excess: () => number, refuse: Refuse): void {
    const { lossNats, tokenIds, positions, topIds, tokenOffsets, positionOffsets, entryOffsets } = this.#knowledge;
    const most = Math.min(topK, topIds.length);
    const ids = new Int32Array(most);
    const order = new Int32Array(most);
    for (let sample = 0; sample < lossNats.length; sample++) {
      const refuseSample: Refuse = (reason) => refuse(`sample ${sample}: ${reason}`);
      this.#codeSample(sample, refuseSample);
      for (let at = positionOffsets[sample]; at < positionOffsets[sample + 1]; at++) {
        this.#readPosition(sample, at, ids, order, refuseSample);
        if (excess() > 0) throw refuseSample("the packed bytes end early");
      }
    }
    const samples = lossNats.length;
    const read = [tokenOffsets[samples], positionOffsets[samples], entryOffsets[positions.length]];
    const told = [tokenIds.length, positions.length, topIds.length];
    if (read.join() !== told.join())
      throw refuse(
        `expected ${told.join(", ")} tokens, positions and entries, as it is told first, got ${read.join(", ")}`,
      );
  }

  /** Tokens, their ends, positions and counts of one sample. */
  #codeSample(sample: number, refuse: Refuse): void {
    const models = this.#models;
    const { tokenOffsets, tokenIds, tokenEnds, positionOffsets, positions, answerBytes, answerPositions } =
      this.#knowledge;
    const firstToken = tokenOffsets[sample];
    const tokens = this.#codeNumber(models.tokenCount, tokenOffsets[sample + 1] - firstToken);
    if (tokens > tokenIds.length - firstToken) throw refuse(`expected fewer tokens, got ${tokens}`);
    tokenOffsets[sample + 1] = firstToken + tokens;
    let end = -1;
    for (let at = firstToken; at < firstToken + tokens; at++) {
      const id = this.#codeTree(models.token, this.#leafBits, tokenIds[at]);
      tokenIds[at] = id;
      end += this.#codeBytes(id, tokenEnds[at] - end);
      if (end > 0x7fffffff) throw refuse(`expected its text to end before 2 GiB, got ${end}`);
      tokenEnds[at] = end;
    }
    const first = positionOffsets[sample];
    const count = this.#codeNumber(models.positionCount, positionOffsets[sample + 1] - first);
    if (count > positions.length - first) throw refuse(`expected fewer positions, got ${count}`);
    positionOffsets[sample + 1] = first + count;
    answerPositions[sample] = count - this.#codeNumber(models.promptPositions, count - answerPositions[sample]);
    answerBytes[sample] = this.#codeNumber(models.answerBytes, answerBytes[sample]);
    let position = tokens - 1;
    for (let at = first + count - 1; at >= first; at--) {
      position -= 1 + this.#codeNumber(models.stepBack, position - positions[at] - 1);
      if (position < 0) throw refuse("expected positions among its tokens, got one before them");
      positions[at] = position;
    }
  }

  #writePosition(sample: number, at: number, ladder: Ladder, ids: Int32Array, byId: Int32Array): void {
    const { topIds, topLogProbs, tailMass, entryOffsets } = this.#knowledge;
    const begin = entryOffsets[at];
    const end = entryOffsets[at + 1];
    const count = end - begin;
    const models = this.#models;
    const token = this.#tokenAt(sample, at);
    const tail = encodeTail(tailMass[at]);
    const shift = ladder.place(topLogProbs.subarray(begin, end), decodeTail(tail));
    this.shifts[at] = shift;
    this.#codeNumber(models.tail, tail);
    this.#codeNumber(models.shift, shift < 0 ? -2 * shift - 1 : 2 * shift);
    const deepest = ladder.rungs[count - 1];
    this.#codeTree(models.deepestRung, RUNG_BITS, deepest);
    for (let entry = 0; entry < count; entry++) {
      this.#rungs[begin + entry] = ladder.rungs[entry];
      byId[entry] = (topIds[begin + entry] << RUNG_BITS) | ladder.rungs[entry];
    }
    const sorted = byId.subarray(0, count).sort();
    this.#sets.want(at, topIds.subarray(begin, end));
    const reference = this.#expect(at, token);
    this.#sets.code(at, reference >= 0, ids);
    for (let entry = 0; entry < count; entry++)
      this.#codeRise(ids[entry], deepest - (sorted[entry] & ((1 << RUNG_BITS) - 1)));
    this.#forget(reference);
    this.#lastPosition[token] = at;
  }

  #readPosition(sample: number, at: number, ids: Int32Array, order: Int32Array, refuse: Refuse): void {
    const { topIds, topLogProbs, tailMass, entryOffsets } = this.#knowledge;
    const begin = entryOffsets[at];
    const models = this.#models;
    const token = this.#tokenAt(sample, at);
    const tail = this.#codeNumber(models.tail, 0);
    if (tail >= 2 * TAIL_CODES) throw refuse(`expected a tail's code below ${2 * TAIL_CODES}, got ${tail}`);
    const signed = this.#codeNumber(models.shift, 0);
    if (signed > 2 * MAX_SHIFT) throw refuse(`expected a shift's code of at most ${2 * MAX_SHIFT}, got ${signed}`);
    const shift = signed % 2 === 1 ? -(signed + 1) / 2 : signed / 2;
    const deepest = this.#codeTree(models.deepestRung, RUNG_BITS, 0);
    if (deepest >= LADDER.length) throw refuse(`expected a rung below ${LADDER.length}, got ${deepest}`);
    const reference = this.#expect(at, token);
    const count = this.#sets.code(at, reference >= 0, ids);
    if (count < 0 || count > topIds.length - begin)
      throw refuse(`expected at most ${Math.min(ids.length, topIds.length - begin)} entries, got more`);
    for (let entry = 0; entry < count; entry++) {
      const id = ids[entry];
      const rung = deepest - this.#codeRise(id, 0);
      if (rung < 0) throw refuse(`expected a rung of at least 0, got ${rung}`);
      order[entry] = (rung << ID_BITS) | id;
    }
    this.#forget(reference);
    const likeliestFirst = order.subarray(0, count).sort();
    for (let entry = 0; entry < count; entry++) {
      const rung = likeliestFirst[entry] >> ID_BITS;
      topIds[begin + entry] = likeliestFirst[entry] & ((1 << ID_BITS) - 1);
      topLogProbs[begin + entry] = logProbabilityAt(rung, shift);
      this.#rungs[begin + entry] = rung;
    }
    tailMass[at] = decodeTail(tail);
    this.shifts[at] = shift;
    entryOffsets[at + 1] = begin + count;
    this.#lastPosition[token] = at;
  }

  /** The token that a position comes after. */
  #tokenAt(sample: number, at: number): number {
    const { tokenOffsets, tokenIds, positions } = this.#knowledge;
    return tokenIds[tokenOffsets[sample] + positions[at]];
  }

  /** Prepares for a set and rungs like those of the last position after the same token; -1 where there is none. */
  #expect(at: number, token: number): number {
    const { topIds, entryOffsets } = this.#knowledge;
    const reference = this.#lastPosition[token];
    if (reference < 0) return reference;
    const begin = entryOffsets[reference];
    const end = entryOffsets[reference + 1];
    this.#sets.expect(at, topIds.subarray(begin, end));
    for (let entry = begin; entry < end; entry++)
      this.#expectedRise[topIds[entry]] = this.#rungs[end - 1] - this.#rungs[entry];
    return reference;
  }

  #forget(reference: number): void {
    if (reference < 0) return;
    const { topIds, entryOffsets } = this.#knowledge;
    for (let entry = entryOffsets[reference]; entry < entryOffsets[reference + 1]; entry++)
      this.#expectedRise[topIds[entry]] = -1;
  }

  #codeRise(id: number, rise: number): number {
    const kinds = kindOfRise(this.#lastRise[id]) * RISE_KINDS + kindOfRise(this.#expectedRise[id]);
    let coded = this.#codeTree(
      this.#models.rise + kinds * (MOST_RISE + 1),
      RISE_BITS,
      rise < MOST_RISE ? rise : MOST_RISE,
    );
    if (coded === MOST_RISE) coded += this.#codeNumber(this.#models.furtherRise, rise - MOST_RISE);
    this.#lastRise[id] = coded;
    return coded;
  }

  #codeBytes(id: number, bytes: number): number {
    const last = this.#lastBytes[id];
    if (last >= 0 && this.#coder.code(this.#models.sameBytes, bytes === last ? 1 : 0) === 1) return last;
    this.#lastBytes[id] = this.#codeNumber(this.#models.tokenBytes, bytes);
    return this.#lastBytes[id];
  }

  /** So many bits, the highest first, each with a model for the bits before it. */
  #codeTree(models: number, bits: number, value: number): number {
    const coder = this.#coder;
    let node = 1;
    for (let bit = bits - 1; bit >= 0; bit--) node = 2 * node + coder.code(models + node, (value >> bit) & 1);
    return node - (1 << bits);
  }

  /** A number from 0 to 2^32 − 2: one more than it, as its length in bits and the bits after the first. */
  #codeNumber(models: number, value: number): number {
    const coder = this.#coder;
    const length = this.#codeTree(models, LENGTH_BITS, 31 - Math.clz32(value + 1));
    const bits = models + 32 + 32 * length;
    let coded = 1;
    for (let bit = length - 1; bit >= 0; bit--) coded = 2 * coded + coder.code(bits + bit, ((value + 1) >>> bit) & 1);
    return coded - 1;
  }
}

function kindOfRise(rise: number): number {
  return rise < 11 ? rise + 1 : Math.min(RISE_KINDS - 1, 40 - Math.clz32(rise));
}
