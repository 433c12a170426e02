import { InferenceSession, Tensor } from "onnxruntime-node";
import type { GraphBuilder } from "./graph/builder.ts";
import { encodeOnnx } from "./graph/onnx-encode.ts";

/** A tensor in memory, row-major. */
export interface HostTensor<T extends Float32Array | Int32Array = Float32Array | Int32Array> {
  data: T;
  shape: readonly number[];
}

/** A graph ready to run. */
export interface GraphSession {
  run(feeds: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>>;
  close(): Promise<void>;
}

/**
 * Loads a graph into ONNX Runtime, on the CPU. `run` blocks the thread that calls it.
 *
 * @param folder - where the graph's external tensors lie; they stay memory-mapped
 * @param threads - of each operator; sums depend on it
 */
export async function createSession(graph: GraphBuilder, folder: string, threads: number): Promise<GraphSession> {
  const session = await InferenceSession.create(encodeOnnx(graph), {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    // a memory pattern keeps every shape's plan: +0.47 GB on GPT-2 small
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: {
      session: {
        // packed copies of weights cost seconds at load and the weights' size in memory
        disable_prepacking: "1",
        model_external_initializers_file_folder_path: folder,
        // idle threads sleep: spinning takes the core from the other parties' processes
        "intra_op.allow_spinning": "0",
      },
    },
  });
  return {
    async run(feeds) {
      const tensors: Record<string, Tensor> = {};
      for (const [name, { data, shape }] of Object.entries(feeds))
        tensors[name] =
          data instanceof Float32Array ? new Tensor("float32", data, shape) : new Tensor("int32", data, shape);
      const results = await session.run(tensors);
      return Object.fromEntries(
        Object.entries(results).map(([name, { data, dims }]) => [
          name,
          { data: data as Float32Array | Int32Array, shape: dims },
        ]),
      );
    },
    close: () => session.release(),
  };
}
