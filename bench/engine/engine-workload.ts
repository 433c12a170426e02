import { fileURLToPath } from "node:url";
import type { TrainingSpec } from "../../shared/src/contracts/run-spec.ts";
import { tokensToRead } from "../../shared/src/core/samples/answer-positions.ts";
import { createEngine } from "../../shared/src/engine/engine.ts";
import { GraphBuilder } from "../../shared/src/engine/graph/builder.ts";
import { gemm } from "../../shared/src/engine/graph/operators.ts";
import { createSession } from "../../shared/src/engine/session.ts";
import type { EncodedSample, SampleTarget } from "../../shared/src/ports/engine.ts";
import { peakMemoryMib } from "./peak-memory.ts";

/** One thing to be measured, in a process of its own, so that its peak memory is that of this thing alone. */
export type Workload =
  | {
      kind: "train";
      folder: string;
      batch: number;
      tokens: number;
      /** of the positions that are trained */
      share: number;
      topK: number;
      threads: number;
      steps: number;
      activationCheckpointing: TrainingSpec["activationCheckpointing"];
      /** of LoRA; queries and values of a Llama unless given */
      targets?: string[];
    }
  | {
      kind: "extract";
      folder: string;
      batch: number;
      tokens: number;
      topK: number;
      threads: number;
      steps: number;
    }
  | { kind: "gemm"; rows: number; inner: number; columns: number; threads: number; steps: number };

export interface Measurement {
  seconds: number;
  peakMemoryMib: number;
}

/** The command that measures a workload and prints the measurement. */
export function workloadCommand(workload: Workload): string[] {
  return [fileURLToPath(import.meta.url), JSON.stringify(workload)];
}

async function measure(workload: Workload): Promise<Measurement> {
  const times = await (workload.kind === "gemm" ? gemmTimes(workload) : modelTimes(workload));
  // the first one makes the session
  return { seconds: Math.min(...times.slice(1)), peakMemoryMib: peakMemoryMib() };
}

async function modelTimes(workload: Exclude<Workload, { kind: "gemm" }>): Promise<number[]> {
  const { folder, batch, tokens, threads, topK, steps } = workload;
  const engine = createEngine();
  const targets = (workload.kind === "train" && workload.targets) || ["q_proj", "v_proj"];
  const lora = { rank: 8, alpha: 16, dropout: 0, targets };
  const model = await engine.open({ folder, lora, adapter: null, seed: 0, threads });
  // a token more than positions: the last one predicts nothing; a position is trained as the peer's mask says
  const share = workload.kind === "train" ? workload.share : 1;
  const length = Math.min(tokens + 1, model.contextTokens);
  const samples = Array.from(
    { length: batch },
    (_, sample): EncodedSample => ({
      ids: Int32Array.from({ length }, (_, at) => (sample * 7919 + at * 104729 + at * at * 31) % model.vocabularySize),
      answer: Uint8Array.from({ length }, (_, at) => (at > 0 && isTrained(sample * tokens + at - 1, share) ? 1 : 0)),
      answerBytes: tokens,
    }),
  );
  const read = samples.reduce((sum, sample) => sum + tokensToRead(sample), 0);
  const times: number[] = [];
  if (workload.kind === "train") {
    const targets = samples.map((sample) =>
      targetOf(sample, Math.min(topK, model.vocabularySize), model.vocabularySize),
    );
    await model.train({
      samples,
      targets,
      lambda: 0.9,
      temperature: 1,
      epochs: steps + 1,
      seed: 0,
      training: {
        learningRate: 1e-4,
        privateEpochs: 1,
        publicEpochs: 1,
        batchSize: batch,
        schedule: "constant",
        warmupRatio: 0,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weightDecay: 0,
        clipNorm: null,
        threads,
        activationCheckpointing: workload.activationCheckpointing,
      } as TrainingSpec,
      // the thread's own clock: its messages may reach this one two at a time
      onProgress: ({ tokensPerSecond }) => times.push(read / tokensPerSecond),
    });
  } else
    for (let step = 0; step <= steps; step++) {
      const begin = performance.now();
      for await (const _ of model.extract(samples, topK, batch));
      times.push((performance.now() - begin) / 1000);
    }
  await engine.close();
  return times;
}

/** Whether a row, counted through all samples, is trained: of each hundred the first ones, as the peer has it. */
export function isTrained(row: number, share: number): boolean {
  return row % 100 < share * 100;
}

/** Evenly spread soft targets: every answer position keeps so many entries. */
function targetOf({ answer }: EncodedSample, kept: number, vocabularySize: number): SampleTarget {
  const positions = Int32Array.from([...answer.keys()].filter((at) => answer[at]).map((at) => at - 1));
  const entry = (index: number) => (index % kept) * Math.floor(vocabularySize / kept) + Math.floor(index / kept);
  return {
    positions,
    offsets: Int32Array.from({ length: positions.length + 1 }, (_, index) => index * kept),
    entries: Int32Array.from({ length: positions.length * kept }, (_, index) => entry(index) % vocabularySize),
    probabilities: new Float32Array(positions.length * kept).fill(1 / kept),
    tail: new Float32Array(positions.length),
    partition: -1,
  };
}

async function gemmTimes({ rows, inner, columns, threads, steps }: Extract<Workload, { kind: "gemm" }>) {
  const graph = new GraphBuilder();
  const left = graph.input("left", "float32", [rows, inner]);
  const right = graph.input("right", "float32", [columns, inner]);
  graph.output("product", gemm(graph, left, right, { transposeB: true }));
  const session = await createSession(graph, "", threads);
  const feeds = {
    left: { data: new Float32Array(rows * inner).fill(0.5), shape: [rows, inner] },
    right: { data: new Float32Array(columns * inner).fill(0.5), shape: [columns, inner] },
  };
  const times: number[] = [];
  for (let step = 0; step <= steps; step++) {
    const begin = performance.now();
    await session.run(feeds);
    times.push((performance.now() - begin) / 1000);
  }
  await session.close();
  return times;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(JSON.stringify(await measure(JSON.parse(process.argv[2]) as Workload)));
