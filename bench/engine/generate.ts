import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createEngine } from "../../shared/src/engine/engine.ts";
import { peakMemoryMib } from "./peak-memory.ts";

/** What is asked of a process that generates, one line of JSON each; bench/peers/generate.py understands the same. */
export interface GenerateRequest {
  prompt: number[];
  tokens: number;
}

export interface GenerateAnswer {
  ids: number[];
  /** until the first token is there */
  firstSeconds: number;
  /** of all that follow it */
  restSeconds: number;
  peakMemoryMib: number;
}

/** The engine as a process that generates: `generate.ts FOLDER THREADS`. Its first line says that it is ready. */
export const GENERATE_PROGRAM = fileURLToPath(import.meta.url);

async function answerRequests(folder: string, threads: number): Promise<void> {
  const engine = createEngine();
  const model = await engine.open({ folder, lora: null, adapter: null, seed: 0, threads });
  console.log(JSON.stringify({ node: process.version }));
  for await (const line of createInterface(process.stdin)) {
    const { prompt, tokens } = JSON.parse(line) as GenerateRequest;
    const ids: number[] = [];
    const begun = performance.now();
    let first = begun;
    for await (const { id } of model.generate({
      prompt: Int32Array.from(prompt),
      maxTokens: tokens,
      temperature: 0,
      topK: null,
      topP: null,
      seed: 0,
      stop: [],
    })) {
      if (ids.length === 0) first = performance.now();
      ids.push(id);
    }
    const answer: GenerateAnswer = {
      ids,
      firstSeconds: (first - begun) / 1000,
      restSeconds: (performance.now() - first) / 1000,
      peakMemoryMib: peakMemoryMib(),
    };
    console.log(JSON.stringify(answer));
  }
  await engine.close();
}

if (process.argv[1] === GENERATE_PROGRAM) await answerRequests(process.argv[2], Number(process.argv[3]));
