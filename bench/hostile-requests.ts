import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hostileRequests, judgeAnswer } from "../test/support/serving/hostile-requests.ts";
import { exchangeRaw, statusesOf } from "../test/support/serving/raw-exchange.ts";
import { peakMemoryMib } from "./engine/peak-memory.ts";

const AT_ONCE = 16;
/** Of all requests, before memory is read for the first time: by then every path of the code was taken. */
const WARM_UP = 0.1;
const READINGS = 9;
/** V8 would let it grow to a hundred MiB while requests come, and shrink it afterwards: resident memory would tell of little else. */
const YOUNG_GENERATION_MIB = 8;

interface Reading {
  residentMib: number;
  heapMib: number;
  /** beyond the heap: buffers */
  externalMib: number;
  running: number;
  waiting: number;
  held: number;
  failures: number;
}

/**
 * Sends malformed and hostile requests of the tests' own kinds to an endpoint in a process of its own, sixteen at once, and tells
 * whether it answered each as it should, and whether it grew: its resident memory after a tenth of them, and at the end.
 *
 * @param argv - `--requests` (10000), `--seed` (1)
 * @throws where an answer was another, or the endpoint failed, holds a place still, or ended
 */
export async function run(argv: string[]): Promise<object> {
  const { values } = parseArgs({
    args: argv,
    options: { requests: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
  });
  const [count, seed] = [Number(values.requests), Number(values.seed)];
  if (!Number.isInteger(count) || count < 100)
    throw new Error(`--requests: expected a whole number from 100, got ${values.requests}`);
  const server = fork(fileURLToPath(new URL("hostile/hostile-server.ts", import.meta.url)), {
    execArgv: ["--expose-gc", `--max-semi-space-size=${YOUNG_GENERATION_MIB}`],
  });
  try {
    const [{ url }] = (await once(server, "message")) as [{ url: string }];
    const begun = performance.now();
    const requests = hostileRequests(count, seed);
    const wrong: string[] = [];
    const outcomes: Record<string, Record<string, number>> = {};
    const readings: Reading[] = [];
    const steps = [WARM_UP, ...Array.from({ length: READINGS }, (_, at) => (at + 1) / READINGS)].map(
      (share) => share * count,
    );
    let sent = 0;
    for (const end of steps.sort((a, b) => a - b)) {
      const attack = async () => {
        while (sent < end) {
          const { value: request } = requests.next();
          if (request === undefined) return;
          sent++;
          const statuses = statusesOf(await exchangeRaw(url, request));
          outcomes[request.kind] ??= {};
          const counted = outcomes[request.kind];
          const outcome = statuses.join("+") || "silent";
          counted[outcome] = (counted[outcome] ?? 0) + 1;
          const verdict = judgeAnswer(request, statuses);
          if (verdict !== null) wrong.push(`${request.kind}: ${verdict}`);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, attack));
      const reading = await read(server);
      readings.push(reading);
      console.log(
        `${sent} requests: ${reading.residentMib} MiB resident, ${reading.heapMib} MiB of heap, ${reading.externalMib} MiB of buffers`,
      );
    }
    const last = await settled(server);
    const first = readings[0];
    if (wrong.length > 0 || last.failures > 0)
      throw new Error(
        `${wrong.length} answers were wrong, ${last.failures} requests failed: ${wrong.slice(0, 5).join("; ")}`,
      );
    return {
      requests: sent,
      seed,
      seconds: Math.round((performance.now() - begun) / 1000),
      residentMibBefore: first.residentMib,
      residentMibAfter: last.residentMib,
      heapMibBefore: first.heapMib,
      heapMibAfter: last.heapMib,
      // after the warm-up, then after each ninth of all requests
      residentMib: readings.map(({ residentMib }) => residentMib),
      residentMibPeak: peakMemoryMib(server.pid),
      wrong: wrong.length,
      outcomes,
    };
  } finally {
    server.kill();
  }
}

async function read(server: ChildProcess): Promise<Reading> {
  server.send("memory");
  const [reading] = (await once(server, "message")) as [Reading];
  return reading;
}

/** Once nothing is under way any more. @throws where something stays */
async function settled(server: ChildProcess): Promise<Reading> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const reading = await read(server);
    if (reading.running + reading.waiting + reading.held === 0) return reading;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("answers are still under way after five seconds of silence");
}
