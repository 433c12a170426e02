import { join } from "node:path";
import { InvalidInputError } from "../core/errors.ts";
import type { TensorInfo } from "../formats/safetensors.ts";
import type { Architecture, WeightSpec } from "./architectures/architecture.ts";
import { parseArchitecture } from "./architectures/parse-architecture.ts";
import type { ElementType, GraphBuilder, Value } from "./graph/builder.ts";
import { cast } from "./graph/operators.ts";
import {
  isSameTensor,
  locateBelowOneFolder,
  openWeightFiles,
  readSmallFile,
  readStoredTensor,
  type StoredTensor,
  type WeightFiles,
} from "./weight-files.ts";
import { widenBfloat16, widenFloat16 } from "./widen-float.ts";

/** A config.json is some kilobytes; more is not one. */
const MAX_CONFIG_BYTES = 1024 * 1024;

/** What a head is called where it has weights of its own. */
const HEADS = ["lm_head.weight", "embed_out.weight"];

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
  /** as it was given: errors name it */
  readonly location: string;
  /** a folder above all weight files, where they really are: links are followed, since ONNX Runtime refuses them */
  readonly folder: string;
  /**
   * Puts a weight into a graph, as f32. One of 32 bits is read from the file by ONNX Runtime itself, and stays mapped.
   * @param widening - where 16-bit floats become f32: here, once for all graphs, or in the graph, where ONNX Runtime may pack or
   *   move them but has them in memory twice while it loads
   */
  weight(graph: GraphBuilder, name: string, widening: "here" | "in the graph"): Value;
  /** Reads a weight into memory, as f32. */
  read(name: string): Float32Array;
}

/**
 * @param location - a folder on this machine, with config.json and model.safetensors, or its index and the files that it names.
 *   Tensors that the architecture does not know are left alone
 * @throws InvalidInputError `MODEL_FILE_MISSING`, `MODEL_CONFIG_INVALID`, `MODEL_WEIGHTS_INVALID`, `SAFETENSORS_TRUNCATED`,
 *   `SAFETENSORS_INVALID`, naming folder, file, tensor, expected and got
 */
export function openCheckpoint(location: string): Checkpoint {
  const config = join(location, "config.json");
  const architecture = parseArchitecture(readSmallFile(config, MAX_CONFIG_BYTES, "MODEL_CONFIG_INVALID"), config);
  const { weights, prefix } = architecture;
  const files = openWeightFiles(location);
  const tensors = new Map(weights.map((weight) => [weight.name, findWeight(files, weight, prefix)]));
  checkTiedHead(files, architecture, tensors);
  const wide = new Map<string, Float32Array>();
  const { folder, below } = locateBelowOneFolder([...new Set([...tensors.values()].map(({ path }) => path))]);
  return {
    architecture,
    parameters: weights.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0),
    location,
    folder,
    weight(graph, name, widening) {
      const { dtype, shape, begin, end, path } = tensors.get(name)!;
      if (dtype !== "F32" && widening === "here") return graph.resident(name, widened(name), shape);
      const place = { file: below.get(path)!, begin, length: end - begin };
      return cast(graph, graph.external(name, ELEMENT_TYPES[dtype]!, shape, place), "float32");
    },
    read,
  };

  function read(name: string): Float32Array {
    const { dtype, data } = readStoredTensor(tensors.get(name)!);
    if (dtype === "F32") return data;
    return dtype === "BF16" ? widenBfloat16(data as Uint16Array) : widenFloat16(data as Uint16Array);
  }

  function widened(name: string): Float32Array {
    const known = wide.get(name);
    if (known) return known;
    const made = read(name);
    wide.set(name, made);
    return made;
  }
}

/** Some files hold a tied head once more; of other values it would be a head of its own, whatever the config says. */
function checkTiedHead(
  files: WeightFiles,
  { head, weights }: Architecture,
  tensors: ReadonlyMap<string, StoredTensor>,
): void {
  for (const name of HEADS) {
    const found = weights.some((weight) => weight.name === name) ? undefined : files.find(name);
    if (found && !isSameTensor(found, tensors.get(head.weight)!))
      throw new InvalidInputError(
        "MODEL_WEIGHTS_INVALID",
        `${found.path}: tensor ${name}: expected the values of ${head.weight}, since config.json ties them (tie_word_embeddings), got others`,
      );
  }
}

/** A file of the bare model, without its head, lacks the prefix: most of GPT-2 on the Hugging Face hub are such. */
function findWeight(files: WeightFiles, { name, shape }: WeightSpec, prefix: string): StoredTensor {
  const bare = prefix !== "" && name.startsWith(prefix) ? name.slice(prefix.length) : null;
  const found = files.find(name) ?? (bare === null ? undefined : files.find(bare));
  const refuse = (reason: string) =>
    new InvalidInputError("MODEL_WEIGHTS_INVALID", `${found?.path ?? files.path}: tensor ${name}: ${reason}`);
  if (!found) throw refuse(`expected shape [${shape}] as config.json says, got no such tensor`);
  if (found.shape.length !== shape.length || shape.some((size, axis) => size !== found.shape[axis]))
    throw refuse(`expected shape [${shape}] as config.json says, got [${found.shape}]`);
  if (!ELEMENT_TYPES[found.dtype])
    throw refuse(`expected ${Object.keys(ELEMENT_TYPES).join(", ")}, got ${found.dtype}`);
  return found;
}
