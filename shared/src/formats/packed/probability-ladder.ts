import { MASS_TOLERANCE } from "../knowledge-checks.ts";

/**
 * The values that a packed log-probability can have: rungs of a ladder that lie closer the likelier they are, since an
 * error of e nats at probability p costs p·e²/2 nats of divergence. Rungs are 0.03 nats apart at probability 1, and farther by e^¼ for
 * each nat below it, up to half a nat. Made of integers alone; {@link SCALE} to the nat.
 */
export const SCALE = 16_384;
const FINE_BITS = 20;
const FINEST_GAP = 31_457;
const WIDEST_GAP = 1 << 19;
const DEPTH_NATS = 128;

/** Rungs in ascending depth, in SCALEths of a nat below probability 1. */
export const LADDER = buildLadder();
/** All rungs of a position are moved by one shift, so that probabilities and tail sum to 1: at most half a nat either way. */
export const MAX_SHIFT = SCALE / 2;
const MASS = Float64Array.from(LADDER, (depth) => Math.exp(-depth / SCALE));
/** The same, a gap likelier. */
const MASS_ABOVE = MASS.map((mass, rung) => mass * Math.exp(gapAt(rung) / SCALE));

/** A tail's precision: five bits, of the tail or of what it leaves, whichever is smaller. */
const TAIL_STEPS = 16;
const TAIL_EXPONENTS = 64;
/** The most by which rounding changes a share, in nats: half a step of the coarsest. */
export const TAIL_TOLERANCE = 1 / (2 * TAIL_STEPS - 1);

function buildLadder(): Int32Array {
  const rungs: number[] = [];
  let gap = FINEST_GAP;
  for (let depth = 0; depth < DEPTH_NATS * 2 ** FINE_BITS; ) {
    rungs.push(Math.floor((depth * SCALE) / 2 ** FINE_BITS));
    depth += gap;
    gap = Math.min(WIDEST_GAP, gap + Math.floor((gap * gap) / 2 ** (FINE_BITS + 2)));
  }
  return Int32Array.from(rungs);
}

/** The log-probability of a rung, moved by a shift; exact in single precision. */
export function logProbabilityAt(rung: number, shift: number): number {
  return (0 - LADDER[rung] - shift) / SCALE;
}

/**
 * The most by which a packed log-probability can differ from what was packed, in nats: half a gap to a rung, as much again to the
 * rung of another shift that gives the same, the shift as far as rounding explains it, and what rounding the tail does to all that
 * it leaves. One on the deepest rung may have been any deeper one: {@link isDeepest}.
 *
 * @param logProbs - all of the position's, descending
 */
export function ladderTolerance(logProbability: number, logProbs: Float32Array, shift: number, tail: number): number {
  let mass = 0;
  let massAbove = 0;
  let rung = 0;
  for (const entry of logProbs) {
    rung = nearestRung(0 - entry * SCALE - shift, rung);
    mass += MASS[rung];
    massAbove += MASS_ABOVE[rung];
  }
  const ofTail = TAIL_TOLERANCE * Math.min(1, tail / (1 - tail));
  // a shift makes up for what rounding has done to the mass; whoever takes a larger one must not profit by it
  const explained = Math.log(massAbove / mass) + ofTail + Math.log1p(MASS_TOLERANCE / (1 - tail));
  const gap = gapAt(nearestRung(0 - logProbability * SCALE - shift, 0)) / SCALE;
  return gap + Math.min(Math.abs(shift) / SCALE, explained) + ofTail;
}

/** Whether a packed log-probability stands on the last rung, as all do that lie deeper than the ladder. */
export function isDeepest(logProbability: number, shift: number): boolean {
  return nearestRung(0 - logProbability * SCALE - shift, 0) === LADDER.length - 1;
}

/** From a rung to the next one, from the last to the one before. */
function gapAt(rung: number): number {
  const upper = Math.min(rung, LADDER.length - 2);
  return LADDER[upper + 1] - LADDER[upper];
}

/** The rung nearest to a depth, the upper one of two as near; looked for from a rung that is not below it. */
function nearestRung(depth: number, from: number): number {
  let rung = from;
  while (rung + 1 < LADDER.length && LADDER[rung] + LADDER[rung + 1] < 2 * depth) rung++;
  return rung;
}

/**
 * Rungs and shift of one position's log-probabilities. Log-probabilities that a ladder and a shift give exactly are kept, if they still
 * sum to 1 with the rounded tail.
 */
export class Ladder {
  /** of each entry, likeliest first */
  readonly rungs: Int32Array;
  readonly #depths: Int32Array;

  constructor(mostEntries: number) {
    this.rungs = new Int32Array(mostEntries);
    this.#depths = new Int32Array(mostEntries);
  }

  /**
   * Fills {@link rungs}.
   *
   * @param logProbs - descending
   * @param tail - as {@link decodeTail} gives it
   * @returns the shift
   */
  place(logProbs: Float32Array, tail: number): number {
    const count = logProbs.length;
    let exact = true;
    let mass = 0;
    for (let entry = 0; entry < count && exact; entry++) {
      const depth = 0 - logProbs[entry] * SCALE;
      exact = Number.isInteger(depth) && depth <= LADDER[LADDER.length - 1] + MAX_SHIFT;
      mass += Math.exp(logProbs[entry]);
      this.#depths[entry] = depth;
    }
    if (exact && Math.abs(mass + tail - 1) <= MASS_TOLERANCE) {
      const shift = this.#findShift(count);
      if (shift !== null) return shift;
    }
    this.#approach(logProbs, tail);
    return this.#findShift(count)!;
  }

  /** Sets each depth to its nearest rung's, all of them shifted so that the probabilities and the tail sum to 1. */
  #approach(logProbs: Float32Array, tail: number): void {
    const count = logProbs.length;
    let mass = 0;
    let rung = 0;
    for (let entry = 0; entry < count; entry++) {
      rung = nearestRung(0 - logProbs[entry] * SCALE, rung);
      this.rungs[entry] = rung;
      mass += MASS[rung];
    }
    const wanted = Math.round(Math.log(mass / (1 - tail)) * SCALE);
    const shift = Math.min(MAX_SHIFT, Math.max(-MAX_SHIFT, -LADDER[this.rungs[0]], wanted));
    for (let entry = 0; entry < count; entry++) this.#depths[entry] = LADDER[this.rungs[entry]] + shift;
  }

  /** The smallest shift, the negative one of two as small, by which all depths lie on rungs; null where there is none. */
  #findShift(count: number): number | null {
    const first = this.#depths[0];
    let below = nearestRung(first, 0);
    let above = below - 1;
    while (true) {
      const down = below < LADDER.length ? LADDER[below] - first : Infinity;
      const up = above >= 0 ? first - LADDER[above] : Infinity;
      if (Math.min(Math.abs(down), Math.abs(up)) > MAX_SHIFT) return null;
      const shift = Math.abs(down) <= Math.abs(up) ? first - LADDER[below++] : first - LADDER[above--];
      if (this.#standsOn(count, shift)) return shift;
    }
  }

  #standsOn(count: number, shift: number): boolean {
    let rung = 0;
    for (let entry = 0; entry < count; entry++) {
      const depth = this.#depths[entry] - shift;
      while (rung < LADDER.length && LADDER[rung] < depth) rung++;
      if (rung === LADDER.length || LADDER[rung] !== depth) return false;
      this.rungs[entry] = rung;
    }
    return true;
  }
}

/** Codes below this say the tail itself, the others what it leaves. */
export const TAIL_CODES = 1 + TAIL_EXPONENTS * TAIL_STEPS;

/** The code of the nearest tail that has one: 0 is no tail, {@link TAIL_CODES} all of it. */
export function encodeTail(tail: number): number {
  if (tail <= 0.5) return roundShare(tail);
  const rest = roundShare(1 - tail);
  // a rest that rounds to a half is a half either way
  return rest === 1 ? 1 : TAIL_CODES + rest;
}

export function decodeTail(code: number): number {
  return code < TAIL_CODES ? shareOf(code) : Math.fround(1 - shareOf(code - TAIL_CODES));
}

/** The nearest of (16 + m)/32 · 2^−e, m below 16, as 1 + 16e + m; 0 for 0. From 0 to a half, which is 1. */
function roundShare(share: number): number {
  if (!(share > 0)) return 0;
  let exponent = 0;
  let scaled = share;
  while (scaled < 0.5 && exponent < TAIL_EXPONENTS - 1) {
    scaled *= 2;
    exponent++;
  }
  const step = Math.max(0, Math.round(2 * TAIL_STEPS * scaled) - TAIL_STEPS);
  if (step === TAIL_STEPS) return 1 + TAIL_STEPS * (exponent - 1);
  return 1 + TAIL_STEPS * exponent + step;
}

function shareOf(code: number): number {
  if (code === 0) return 0;
  const exponent = Math.floor((code - 1) / TAIL_STEPS);
  return (TAIL_STEPS + ((code - 1) % TAIL_STEPS)) / 2 / TAIL_STEPS / 2 ** exponent;
}
