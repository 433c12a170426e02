import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { peakMemoryMib } from "../engine/peak-memory.ts";
import { processorSeconds } from "../engine/processor-time.ts";
import type { Peer } from "./peer.ts";

/** What a process of {@link startLinePeer} is asked, one line of JSON each. */
export interface BurstRequest {
  prompts: readonly (readonly number[])[];
  tokens: number;
}

export interface BurstAnswer {
  seconds: number;
  /** of each prompt */
  answers: readonly { firstSeconds: number; seconds: number; ids: readonly number[] }[];
}

/**
 * A process that is asked by lines of JSON: HTTP costs it nothing. Its first line says its version.
 *
 * @param textAfter - what new tokens say behind a prompt
 */
export async function startLinePeer(
  name: string,
  [program, ...rest]: readonly string[],
  textAfter: (prompt: readonly number[], ids: readonly number[]) => string,
): Promise<Peer> {
  const child = spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${name}: expected an answer, but the process has ended`);
    return JSON.parse(value);
  };
  const { version } = (await next()) as { version: string };
  return {
    name,
    version,
    async answer(prompts, tokens) {
      const request: BurstRequest = { prompts, tokens };
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { seconds, answers } = (await next()) as BurstAnswer;
      for (const { ids } of answers)
        if (ids.length !== tokens) throw new Error(`${name}: expected ${tokens} new tokens, got ${ids.length}`);
      return {
        seconds,
        answers: answers.map(({ ids, ...times }, index) => ({ ...times, text: textAfter(prompts[index], ids) })),
      };
    },
    peakMemoryMib: () => peakMemoryMib(child.pid),
    processorSeconds: () => processorSeconds(child.pid!),
    async end() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
