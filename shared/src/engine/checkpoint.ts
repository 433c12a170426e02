import { closeSync, openSync, readFileSync, readSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { InvalidInputError } from "../core/errors.ts";
import {
  LENGTH_BYTES,
  measureSafetensorsHeader,
  parseSafetensorsHeader,
  readTensor,
  type TensorInfo,
} from "../formats/safetensors.ts";
import type { Architecture, WeightSpec } from "./architectures/architecture.ts";
import { parseArchitecture } from "./architectures/parse-architecture.ts";
import type { ElementType, GraphBuilder, Value } from "./graph/builder.ts";
import { cast } from "./graph/operators.ts";
import { widenBfloat16, widenFloat16 } from "./widen-float.ts";

/** A config.json is some kilobytes; more is not one. */
const MAX_CONFIG_BYTES = 1024 * 1024;
const WEIGHTS_FILE = "model.safetensors";

const ELEMENT_TYPES: Partial<Record<TensorInfo["dtype"], ElementType>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
};

/** A Hugging Face model folder whose config and tensors have been checked. Weights stay on disk. */
export interface Checkpoint {
  readonly architecture: Architecture;
  /** number of weights */
  readonly parameters: number;
  /** where the weights' file really is: links are followed, since ONNX Runtime refuses them */
  readonly folder: string;
  /** Puts a weight into a graph, read from the file by ONNX Runtime itself; 16-bit floats are widened in the graph. */
  external(graph: GraphBuilder, name: string): Value;
  /** Reads a weight into memory, as f32. */
  read(name: string): Float32Array;
}

/**
 * @param folder - on this machine, with config.json and model.safetensors
 * @throws InvalidInputError `MODEL_FILE_MISSING`, `MODEL_CONFIG_INVALID`, `MODEL_WEIGHTS_INVALID`, `SAFETENSORS_TRUNCATED`,
 *   `SAFETENSORS_INVALID`, naming folder, file, tensor, expected and got
 */
export function openCheckpoint(folder: string): Checkpoint {
  const architecture = parseArchitecture(readConfig(join(folder, "config.json")), join(folder, "config.json"));
  const file = join(folder, WEIGHTS_FILE);
  const tensors = readTensorPlaces(file);
  const { weights } = architecture;
  for (const weight of weights) checkWeight(weight, tensors.get(weight.name), file);
  const real = realpathSync(file);
  return {
    architecture,
    parameters: weights.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0),
    folder: dirname(real),
    external(graph, name) {
      const { dtype, shape, begin, end } = tensors.get(name)!;
      const place = { file: basename(real), begin, length: end - begin };
      return cast(graph, graph.external(name, ELEMENT_TYPES[dtype]!, shape, place), "float32");
    },
    read: (name) => readFloats(file, tensors.get(name)!),
  };
}

function readConfig(path: string): Uint8Array {
  const bytes = sizeOf(path);
  if (bytes > MAX_CONFIG_BYTES)
    throw new InvalidInputError(
      "MODEL_CONFIG_INVALID",
      `${path}: expected at most ${MAX_CONFIG_BYTES} bytes, got ${bytes}`,
    );
  return readFileSync(path);
}

function readTensorPlaces(path: string): Map<string, TensorInfo> {
  const fileBytes = sizeOf(path);
  const descriptor = openSync(path, "r");
  try {
    const start = readFully(descriptor, 0, Math.min(LENGTH_BYTES, fileBytes));
    const header = readFully(descriptor, 0, measureSafetensorsHeader(start, fileBytes, path));
    return parseSafetensorsHeader(header, fileBytes, path).tensors;
  } finally {
    closeSync(descriptor);
  }
}

function checkWeight({ name, shape }: WeightSpec, found: TensorInfo | undefined, file: string): void {
  const refuse = (reason: string) =>
    new InvalidInputError("MODEL_WEIGHTS_INVALID", `${file}: tensor ${name}: ${reason}`);
  if (!found) throw refuse(`expected shape [${shape}] as config.json says, got no such tensor`);
  if (found.shape.length !== shape.length || shape.some((size, axis) => size !== found.shape[axis]))
    throw refuse(`expected shape [${shape}] as config.json says, got [${found.shape}]`);
  if (!ELEMENT_TYPES[found.dtype])
    throw refuse(`expected ${Object.keys(ELEMENT_TYPES).join(", ")}, got ${found.dtype}`);
}

function readFloats(path: string, info: TensorInfo): Float32Array {
  const descriptor = openSync(path, "r");
  try {
    const { dtype, data } = readTensor(readFully(descriptor, info.begin, info.end - info.begin), info);
    if (dtype === "F32") return data;
    return dtype === "BF16" ? widenBfloat16(data as Uint16Array) : widenFloat16(data as Uint16Array);
  } finally {
    closeSync(descriptor);
  }
}

function readFully(descriptor: number, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const count = readSync(descriptor, bytes, at, length - at, position + at);
    if (count === 0) break;
    at += count;
  }
  return bytes;
}

function sizeOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile())
    throw new InvalidInputError(
      "MODEL_FILE_MISSING",
      `${path}: expected a file, ${found ? "got a folder" : "found none"}`,
    );
  return found.size;
}
