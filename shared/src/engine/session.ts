import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { InvalidInputError } from "../core/errors.ts";
import type { Device } from "../ports/engine.ts";
import { findMissingForCuda, thisMachine } from "./cuda-parts.ts";
import { GraphBuilder } from "./graph/builder.ts";
import { encodeOnnx } from "./graph/onnx-encode.ts";
import { type Placement, readPlacement } from "./node-placement.ts";

type HostArray = Float32Array | Int32Array | Uint8Array;

/** A tensor in memory, row-major; bytes are truth values. */
export interface HostTensor<T extends HostArray = HostArray> {
  data: T;
  shape: readonly number[];
}

/** A graph ready to run. */
export interface GraphSession {
  /**
   * @param feeds - one that was fed under its name in the last run too may have other numbers in it by now
   * @param outputs - those that are wanted, since each is copied; all unless given
   */
  run(feeds: Readonly<Record<string, HostTensor>>, outputs?: readonly string[]): Promise<Record<string, HostTensor>>;
  close(): Promise<void>;
}

/**
 * Packed copies of weights are read faster, which pays where a run has few rows: a token of SmolLM2-135M takes 20 ms for 24. They
 * cost time at load and up to the weights' size in memory.
 */
export type WeightLayout = "as in the file" | "packed";

/**
 * What ONNX Runtime is asked for. Operators that CUDA does not have (a few on whole numbers) run on the processor, as ONNX
 * Runtime places them; that CUDA is there at all is not left to it.
 */
export function sessionOptions(
  folder: string,
  threads: number,
  device: Device,
  weights: WeightLayout = "as in the file",
): InferenceSession.SessionOptions {
  return {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    // a memory pattern keeps every shape's plan: +0.47 GB on GPT-2 small
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: {
      optimization: {
        // it would merge what the backward pass computes a second time with what the forward pass computed
        disable_specified_optimizers: "CommonSubexpressionElimination",
      },
      session: {
        disable_prepacking: weights === "packed" ? "0" : "1",
        model_external_initializers_file_folder_path: folder,
        // threads of a run wait awake for each other, but briefly: a small model's step takes a quarter less, and where other
        // processes want the same cores little is lost. Between runs they sleep
        "intra_op.allow_spinning": "1",
        "intra_op.spin_duration_us": "20",
        force_spinning_stop: "1",
      },
    },
  };
}

/**
 * Loads a graph into ONNX Runtime. `run` blocks the thread that calls it.
 *
 * @param folder - where the graph's external tensors lie; they stay memory-mapped
 * @param threads - of each operator; sums depend on it
 * @param onPlacement - hears after the first run which nodes were computed where; that run is profiled
 * @throws InvalidInputError `DEVICE_UNAVAILABLE`
 */
export async function createSession(
  graph: GraphBuilder,
  folder: string,
  threads: number,
  device: Device = "cpu",
  weights: WeightLayout = "as in the file",
  onPlacement: ((placement: Placement) => void) | null = null,
): Promise<GraphSession> {
  if (device !== "cpu") await requireDevice(device);
  const options = sessionOptions(folder, threads, device, weights);
  let profile = onPlacement ? await mkdtemp(join(tmpdir(), "fedmkt-profile-")) : null;
  if (profile) Object.assign(options, { enableProfiling: true, profileFilePrefix: join(profile, "profile") });
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(encodeOnnx(graph), options);
  } catch (error) {
    if (profile) await rm(profile, { recursive: true });
    throw error;
  }
  const residents = Object.fromEntries(
    graph.residents.map(({ value, data }) => [value.name, tensorOf({ data, shape: value.shape as number[] })]),
  );
  const endProfile = async (hasRun: boolean) => {
    if (profile === null) return;
    const ended = profile;
    profile = null;
    try {
      session.endProfiling();
      const [file] = await readdir(ended);
      if (hasRun) onPlacement?.(readPlacement(await readFile(join(ended, file), "utf8")));
    } finally {
      await rm(ended, { recursive: true });
    }
  };
  const lastFed: Record<string, { feed: HostTensor; tensor: Tensor }> = {};
  return {
    async run(feeds, outputs) {
      const tensors: Record<string, Tensor> = { ...residents };
      for (const name in feeds) {
        const feed = feeds[name];
        const last = lastFed[name];
        tensors[name] = last?.feed === feed ? last.tensor : tensorOf(feed);
        lastFed[name] = { feed, tensor: tensors[name] };
      }
      const results = await (outputs ? session.run(tensors, outputs) : session.run(tensors));
      await endProfile(true);
      return Object.fromEntries(
        Object.entries(results).map(([name, { data, dims }]) => [name, { data: data as HostArray, shape: dims }]),
      );
    },
    async close() {
      await endProfile(false);
      await session.release();
    },
  };
}

function tensorOf({ data, shape }: HostTensor): Tensor {
  if (data instanceof Float32Array) return new Tensor("float32", data, shape);
  return data instanceof Int32Array ? new Tensor("int32", data, shape) : new Tensor("bool", data, shape);
}

let known: Promise<void> | null = null;

/**
 * Runs the smallest graph there, once a thread: what fails for want of a provider, a library or a GPU fails here, with its reason.
 * @throws InvalidInputError `DEVICE_UNAVAILABLE`
 */
export function requireDevice(device: Device): Promise<void> {
  known ??= (async () => {
    const missing = findMissingForCuda(thisMachine());
    if (missing !== null) throw unavailable(device, missing);
    const graph = new GraphBuilder();
    graph.output("same", graph.input("any", "float32", [1]));
    try {
      const session = await InferenceSession.create(encodeOnnx(graph), sessionOptions("", 1, device));
      await session.run({ any: new Tensor("float32", Float32Array.of(1), [1]) });
      await session.release();
    } catch (cause) {
      throw unavailable(device, (cause as Error).message, cause);
    }
  })();
  return known;
}

function unavailable(device: Device, reason: string, cause?: unknown): InvalidInputError {
  return new InvalidInputError(
    "DEVICE_UNAVAILABLE",
    `expected a machine that can compute on ${device}, as FEDMKT_DEVICE or --device asks for, got: ${reason}`,
    { cause },
  );
}
