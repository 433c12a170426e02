import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { BurstAnswer, BurstRequest } from "../serving/line-peer.ts";

/** llama.cpp in a process of its own, by node-llama-cpp: `llama-cpp.ts FOLDER MODEL.gguf THREADS SEQUENCES TOKENS`; FOLDER has its
 * node_modules. Its first line says that it is ready. */
export const LLAMA_CPP_PROGRAM = fileURLToPath(import.meta.url);

/** As much of node-llama-cpp as is used here; it is no dependency of the project. */
interface LlamaPackage {
  getLlama(options: object): Promise<{
    cpuMathCores: number;
    llamaCppRelease: { release: string };
    loadModel(options: object): Promise<{ createContext(options: object): Promise<LlamaContext> }>;
  }>;
}
interface LlamaContext {
  getSequence(): LlamaSequence;
}
interface LlamaSequence {
  evaluate(tokens: readonly number[], options: object): AsyncIterable<number>;
  clearHistory(): Promise<void>;
}

/** Its default: texts that wait for a token share the next run. */
async function answerRequests([folder, modelPath, ...sizes]: string[]): Promise<void> {
  const [threads, sequences, contextSize] = sizes.map(Number);
  const place = pathToFileURL(join(folder, "node_modules/node-llama-cpp/dist/index.js")).href;
  const { getLlama } = (await import(place)) as LlamaPackage;
  const llama = await getLlama({
    gpu: false,
    build: "never",
    maxThreads: threads,
    logLevel: "error",
    progressLogs: false,
  });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ sequences, contextSize, threads });
  const free = Array.from({ length: sequences }, () => context.getSequence());
  console.log(JSON.stringify({ version: `llama.cpp ${llama.llamaCppRelease.release}` }));
  for await (const line of createInterface(process.stdin)) {
    const { prompts, tokens } = JSON.parse(line) as BurstRequest;
    const begun = performance.now();
    const since = () => (performance.now() - begun) / 1000;
    const answers = await Promise.all(
      prompts.map(async (prompt, index) => {
        const ids: number[] = [];
        let firstSeconds = 0;
        for await (const id of free[index].evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
          if (ids.push(id) === 1) firstSeconds = since();
          if (ids.length === tokens) break;
        }
        return { ids, firstSeconds, seconds: since() };
      }),
    );
    const answer: BurstAnswer = { seconds: since(), answers };
    for (const sequence of free) await sequence.clearHistory();
    console.log(JSON.stringify(answer));
  }
  process.exit(0);
}

if (process.argv[1] === LLAMA_CPP_PROGRAM) await answerRequests(process.argv.slice(2));
