import { parentPort, workerData } from "node:worker_threads";
import fc from "fast-check";
import { FUZZED_FORMATS, type FuzzedFormat } from "../../test/support/fuzz/formats.ts";
import { LARGE_FILES } from "../../test/support/fuzz/large-files.ts";
import { casesOf, strike, strikeWith, type Verdict } from "../../test/support/fuzz/strike.ts";

/** What one thread does. */
export interface FuzzOrder {
  /** of one of FUZZED_FORMATS or LARGE_FILES */
  name: string;
  /** drawn by fast-check, besides the bits and lengths */
  cases: number;
  seed: number;
  /** counts the cases, so that a hanging one is noticed */
  beat: Int32Array;
}

export interface FuzzResult {
  cases: number;
  harmless: number;
  /** by code */
  refusals: Record<string, number>;
  /** the first case that failed, or null */
  failure: string | null;
}

const { name, cases, seed, beat } = workerData as FuzzOrder;
const result: FuzzResult = { cases: 0, harmless: 0, refusals: {}, failure: null };

function count(verdict: Verdict): void {
  result.cases = Atomics.add(beat, 0, 1) + 1;
  if (verdict.outcome === "harmless") result.harmless++;
  else result.refusals[verdict.code] = (result.refusals[verdict.code] ?? 0) + 1;
}

/** Every bit turned, every length cut off, and drawn changes. */
function strikeFormat(format: FuzzedFormat): void {
  for (const file of format.examples) strikeEachBit(format, file);
  if (result.failure !== null) return;
  const details = fc.check(
    fc.property(casesOf(format), (one) => count(strike(format, one))),
    { numRuns: cases, seed },
  );
  if (details.failed) result.failure = `${JSON.stringify(details.counterexample)}: ${details.errorInstance}`;
}

function strikeEachBit(format: FuzzedFormat, file: Uint8Array): void {
  for (let bit = 0; bit < 8 * file.length; bit++) {
    const bytes = file.slice();
    bytes[bit >>> 3] ^= 1 << (bit & 7);
    attempt(format, `bit ${bit} turned`, bytes);
    if (format.reseal) attempt(format, `bit ${bit} turned, and sealed`, format.reseal(bytes));
  }
  for (let length = 0; length < file.length; length++)
    attempt(format, `cut after ${length} bytes`, file.slice(0, length));
}

function attempt(format: FuzzedFormat, what: string, bytes: Uint8Array): void {
  if (result.failure !== null) return;
  try {
    count(strikeWith(format, bytes));
  } catch (error) {
    result.failure = `${what}: ${error}`;
  }
}

const format = FUZZED_FORMATS.find((one) => one.name === name);
if (format !== undefined) strikeFormat(format);
const large = LARGE_FILES.find((one) => one.name === name);
if (large !== undefined) attempt(large.format, name, large.make());
parentPort!.postMessage(result);
