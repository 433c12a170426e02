import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { FUZZED_FORMATS } from "../test/support/fuzz/formats.ts";
import { LARGE_FILES } from "../test/support/fuzz/large-files.ts";
import { peakMemoryMib } from "./engine/peak-memory.ts";
import type { FuzzOrder, FuzzResult } from "./fuzz/fuzz-worker.ts";

/** A reader that takes so long over some kilobytes hangs. */
const HANG_MS = 60_000;
/** Of a reader's thread; beyond it the thread ends, and that is a failure. */
const HEAP_MIB = 1024;

/**
 * Changes files of every format by the tests' own arbitraries and reads them: every single bit turned and every length cut
 * off, lists of changes drawn by fast-check, then files made to be as long and as dear as a reader allows. Each file must be refused by name, or what was read must pass the naive
 * checks, within the time and the memory that docs/limits.md states. Each format runs in a thread of its own, which is
 * watched, so that a reader that hangs or ends the thread is a failure like any other, told with its seed.
 *
 * @param argv - `--cases` (20000): drawn cases a format; `--seed` (1); `--format`: one of them alone, by a part of its name
 */
export async function run(argv: string[]): Promise<object> {
  const { values } = parseArgs({
    args: argv,
    options: {
      cases: { type: "string", default: "20000" },
      seed: { type: "string", default: "1" },
      format: { type: "string", default: "" },
    },
  });
  const [cases, seed] = [Number(values.cases), Number(values.seed)];
  if (!Number.isInteger(cases) || cases < 1)
    throw new Error(`--cases: expected a whole number from 1, got ${values.cases}`);
  if (!Number.isInteger(seed)) throw new Error(`--seed: expected a whole number, got ${values.seed}`);
  const names = [...FUZZED_FORMATS, ...LARGE_FILES]
    .map(({ name }) => name)
    .filter((name) => name.includes(values.format));
  const begun = performance.now();
  const results: FuzzResult[] = [];
  for (const name of names) {
    const result = await fuzz({ name, cases, seed });
    results.push(result);
    const codes = Object.entries(result.refusals).map(([code, count]) => `${code} ${count}`);
    console.log(`${name}: ${result.cases} cases, harmless ${result.harmless}, refused ${codes.join(", ")}`);
    if (result.failure !== null) console.log(`  FAILED: ${result.failure}`);
  }
  const sum = (of: (result: FuzzResult) => number) => results.reduce((total, result) => total + of(result), 0);
  const failures = results.filter(({ failure }) => failure !== null).length;
  if (failures > 0) process.exitCode = 1;
  return {
    formats: names.filter((name) => FUZZED_FORMATS.some((format) => format.name === name)).length,
    cases: sum((result) => result.cases),
    refused: sum(({ refusals }) => Object.values(refusals).reduce((total, count) => total + count, 0)),
    harmless: sum(({ harmless }) => harmless),
    failures,
    seconds: Math.round((performance.now() - begun) / 100) / 10,
    peakMemoryMib: peakMemoryMib(),
  };
}

function fuzz(order: Omit<FuzzOrder, "beat">): Promise<FuzzResult> {
  const beat = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const worker = new Worker(new URL("./fuzz/fuzz-worker.ts", import.meta.url), {
    workerData: { ...order, beat } satisfies FuzzOrder,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
  });
  return new Promise((resolve) => {
    const end = (failure: string) =>
      resolve({ cases: Atomics.load(beat, 0), harmless: 0, refusals: {}, failure: `${failure} (seed ${order.seed})` });
    let last = -1;
    const watch = setInterval(() => {
      const now = Atomics.load(beat, 0);
      if (now === last) {
        end(`case ${now} took more than ${HANG_MS} ms`);
        void worker.terminate();
      }
      last = now;
    }, HANG_MS);
    worker.on("message", resolve);
    worker.on("error", (error) => end(`case ${Atomics.load(beat, 0)} ended the thread: ${error}`));
    worker.on("exit", () => clearInterval(watch));
  });
}
