import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import autocannon from "autocannon";
import type { ModelObject } from "../../../shared/src/contracts/openai/models.ts";
import { serveInProcess } from "./served-process.ts";

const LAUNCHER = fileURLToPath(new URL("../../../cli/bin/fedmkt.mjs", import.meta.url));
/** What the process is started with so that {@link ServingProcess.keptMb} can be asked. */
export const TELLS_MEMORY = ["--expose-gc", "--import", new URL("report-memory.ts", import.meta.url).href];
const LOOK_MS = 50;
/** No registry's adapter takes so long; whoever waits longer wants to know why. */
const GIVE_UP_MS = 60_000;

/** `fedmkt serve` in a process of its own, on loopback, with a key of its own. */
export interface ServingProcess {
  url: string;
  headers: Record<string, string>;
  models(): Promise<ModelObject[]>;
  /** the run that a name's adapter came of; null: there is no such name */
  runOf(name: string): Promise<string | null>;
  /** Resolves once a name is served by a run's adapter; null: once it is served by none. @returns when, in ms as Date.now() */
  whenServed(name: string, run: string | null): Promise<number>;
  /** of the process, in MB; NaN where the system does not say */
  residentMb(): number;
  /** Has its threads collect their garbage. @returns heap and buffers that are left of all of them, in MB */
  keptMb(): Promise<number>;
  /** what it has said of itself */
  log(): string;
  /** SIGTERM. @returns its exit code */
  stop(): Promise<number | null>;
}

/**
 * @param options - of the command, but for ports
 * @param flags - of Node
 */
export async function startServingProcess(
  options: readonly string[],
  flags: readonly string[] = [],
): Promise<ServingProcess> {
  const words = ["--port", "0", "--metrics-port", "0", ...options];
  const env = { ...process.env, NODE_OPTIONS: "" };
  const { serving, child, said, ended } = await serveInProcess([process.execPath, ...flags, LAUNCHER], words, { env });
  const { url, key } = serving;
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const models = async () => {
    const answer = await fetch(`${url}/v1/models`, { headers });
    return ((await answer.json()) as { data: ModelObject[] }).data;
  };
  const runOf = async (name: string) => (await models()).find(({ id }) => id === name)?.lineage?.run ?? null;
  return {
    ...{ url, headers, models, runOf },
    async whenServed(name, run) {
      const giveUpMs = Date.now() + GIVE_UP_MS;
      while ((await runOf(name)) !== run) {
        if (Date.now() > giveUpMs)
          throw new Error(`${name} of ${run}: ${await (await fetch(`${url}/v1/registry`, { headers })).text()}`);
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      return Date.now();
    },
    residentMb: () => residentMb(child.pid!),
    async keptMb() {
      const before = keptLines(said()).length;
      const giveUpMs = Date.now() + GIVE_UP_MS;
      child.kill("SIGUSR2");
      while (keptLines(said()).length === before) {
        if (Date.now() > giveUpMs) throw new Error(`no thread says what it keeps: ${said().slice(-1000)}`);
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      return Number(keptLines(said()).at(-1)) / 1e6;
    },
    log: said,
    async stop() {
      child.kill("SIGTERM");
      return (await ended).exitCode;
    },
  };
}

function keptLines(said: string): string[] {
  return Array.from(said.matchAll(/^\{"keptBytes":(\d+)\}$/gm), ([, bytes]) => bytes);
}

export interface Load {
  /** how many answers have come so far */
  answered(): number;
  /** Ends it. */
  stop(): Promise<autocannon.Result>;
}

/** Asks for completions without a pause until it is stopped. Answers without text or usage count as mismatches. */
export function startLoad(
  { url, headers }: ServingProcess,
  model: string,
  connections: number,
  maxTokens: number,
): Load {
  let answered = 0;
  const ended = Promise.withResolvers<autocannon.Result>();
  const load = autocannon(
    {
      ...{ url: `${url}/v1/completions`, method: "POST", headers, connections },
      ...{ duration: 86_400, timeout: 120 },
      body: JSON.stringify({ model, prompt: "the", max_tokens: maxTokens, temperature: 0 }),
      verifyBody: (body) => isCompletion(String(body), model),
    },
    (error, result) => (error ? ended.reject(error) : ended.resolve(result)),
  );
  load.on("response", () => {
    answered++;
  });
  return {
    answered: () => answered,
    stop() {
      (load as unknown as { stop(): void }).stop();
      return ended.promise;
    },
  };
}

function isCompletion(body: string, model: string): boolean {
  const answer = JSON.parse(body) as { model?: string; choices?: { text?: unknown }[]; usage?: object };
  return answer.model === model && typeof answer.choices?.[0]?.text === "string" && answer.usage !== undefined;
}

/** Of a process that Linux tells of. */
function residentMb(pid: number): number {
  const file = `/proc/${pid}/status`;
  const [, kibibytes] = (existsSync(file) && /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(file, "utf8"))) || [];
  return Math.round((Number(kibibytes) * 1024) / 1e6);
}

/** Requests that were not answered as they should be. */
export function failuresOf({ errors, timeouts, non2xx, mismatches }: autocannon.Result): number {
  return errors + timeouts + non2xx + mismatches;
}
