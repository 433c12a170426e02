import { closeSync, openSync, readFileSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { InvalidInputError } from "../core/errors.ts";
import { WEIGHT_FILE, WEIGHT_INDEX } from "../formats/model-files.ts";
import {
  LENGTH_BYTES,
  measureSafetensorsHeader,
  parseSafetensorsHeader,
  readTensor,
  type Tensor,
  type TensorInfo,
} from "../formats/safetensors.ts";
import { MAX_INDEX_BYTES, parseWeightIndex } from "../formats/weight-index.ts";

const BLOCK_BYTES = 1024 * 1024;

/** A tensor's shape and type, and where its bytes lie. */
export interface StoredTensor extends TensorInfo {
  /** as errors name it: links are not followed */
  path: string;
}

/** The tensors of a model folder, in one file or in those that its index names. Only headers are read, each once. */
export interface WeightFiles {
  /** what says which tensors there are */
  path: string;
  /** @throws InvalidInputError `MODEL_FILE_MISSING`, `MODEL_WEIGHTS_INVALID` where the index promises what is not there */
  find(name: string): StoredTensor | undefined;
}

/** @throws InvalidInputError `MODEL_FILE_MISSING`, `MODEL_WEIGHTS_INVALID`, and safetensors' own */
export function openWeightFiles(folder: string): WeightFiles {
  const single = join(folder, WEIGHT_FILE);
  const index = join(folder, WEIGHT_INDEX);
  if (exists(single) || !exists(index)) {
    const tensors = readTensors(single);
    return { path: single, find: (name) => tensors.get(name) };
  }
  const files = parseWeightIndex(readSmallFile(index, MAX_INDEX_BYTES, "MODEL_WEIGHTS_INVALID"), index);
  const opened = new Map<string, ReadonlyMap<string, StoredTensor>>();
  return {
    path: index,
    find(name) {
      const file = files.get(name);
      if (file === undefined) return undefined;
      const path = join(folder, file);
      if (!opened.has(file)) {
        if (!exists(path))
          throw new InvalidInputError(
            "MODEL_FILE_MISSING",
            `${path}: expected a file with the tensor ${name}, as ${WEIGHT_INDEX} says, found none`,
          );
        opened.set(file, readTensors(path));
      }
      const found = opened.get(file)!.get(name);
      if (!found)
        throw new InvalidInputError(
          "MODEL_WEIGHTS_INVALID",
          `${path}: expected the tensor ${name}, as ${WEIGHT_INDEX} says, got no such tensor`,
        );
      return found;
    },
  };
}

/** @throws InvalidInputError `MODEL_FILE_MISSING`, or the code where the file is longer */
export function readSmallFile(path: string, maxBytes: number, code: string): Uint8Array {
  const bytes = sizeOf(path);
  if (bytes > maxBytes) throw new InvalidInputError(code, `${path}: expected at most ${maxBytes} bytes, got ${bytes}`);
  return readFileSync(path);
}

export function readStoredTensor({ path, ...info }: StoredTensor): Tensor {
  const descriptor = openSync(path, "r");
  try {
    return readTensor(readFully(descriptor, info.begin, info.end - info.begin), info);
  } finally {
    closeSync(descriptor);
  }
}

/** Whether two tensors are the same, byte for byte; reads both, a block at a time. */
export function isSameTensor(one: StoredTensor, other: StoredTensor): boolean {
  const length = one.end - one.begin;
  if (one.dtype !== other.dtype || other.end - other.begin !== length) return false;
  const descriptors = [openSync(one.path, "r"), openSync(other.path, "r")];
  try {
    for (let at = 0; at < length; at += BLOCK_BYTES) {
      const bytes = Math.min(BLOCK_BYTES, length - at);
      const left = readFully(descriptors[0], one.begin + at, bytes);
      const right = readFully(descriptors[1], other.begin + at, bytes);
      if (Buffer.compare(left, right) !== 0) return false;
    }
    return true;
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

/**
 * Where files really are: a folder above all of them, and their paths below it. ONNX Runtime takes one folder, and neither links
 * nor "..", while a Hugging Face cache links each file to a blob.
 * @param paths - at least one
 */
export function locateBelowOneFolder(paths: readonly string[]): { folder: string; below: ReadonlyMap<string, string> } {
  const real = new Map(paths.map((path) => [path, realpathSync(path)]));
  let folder = dirname([...real.values()][0]);
  while ([...real.values()].some((path) => relative(folder, path).split(sep)[0] === "..")) folder = dirname(folder);
  return { folder, below: new Map([...real].map(([path, place]) => [path, relative(folder, place)])) };
}

function readTensors(path: string): ReadonlyMap<string, StoredTensor> {
  const fileBytes = sizeOf(path);
  const descriptor = openSync(path, "r");
  try {
    const start = readFully(descriptor, 0, Math.min(LENGTH_BYTES, fileBytes));
    const header = readFully(descriptor, 0, measureSafetensorsHeader(start, fileBytes, path));
    const { tensors } = parseSafetensorsHeader(header, fileBytes, path);
    return new Map([...tensors].map(([name, info]) => [name, { ...info, path }]));
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

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
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
