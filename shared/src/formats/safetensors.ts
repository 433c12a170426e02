import { InvalidInputError } from "../core/errors.ts";
import { findJsonKeyProblem } from "./json-keys.ts";
import { quote } from "./quote.ts";

/** The official reader's limit; a longer header is an attack or not a safetensors file. */
export const MAX_HEADER_BYTES = 100_000_000;
/**
 * Values in a header, of which a tensor has eight: more than any file's, while JSON of as many takes some 300 MB of memory.
 * A header of the greatest length could hold thirty times as many.
 */
const MAX_HEADER_VALUES = 1_000_000;
/** Bytes of the number that says how long the header is. */
export const LENGTH_BYTES = 8;
/** "version https://git-lfs…"; as a header's length it would be far too large. */
const GIT_LFS_START = "version ";
/** As many as PyTorch and NumPy allow; a longer shape is none of theirs. */
const MAX_DIMENSIONS = 64;
/** Header, tensor, and its list of numbers. */
const HEADER_DEPTH = 3;
const METADATA = "__metadata__";

/** The array that holds each type; 16-bit floats stay bits, since most readers widen them anyway. Little-endian throughout. */
interface ArrayOfDtype {
  U64: BigUint64Array;
  I64: BigInt64Array;
  F64: Float64Array;
  F32: Float32Array;
  U32: Uint32Array;
  I32: Int32Array;
  BF16: Uint16Array;
  F16: Uint16Array;
  U16: Uint16Array;
  I16: Int16Array;
  I8: Int8Array;
  U8: Uint8Array;
  BOOL: Uint8Array;
}

/** In the order in which the official library writes tensors: by alignment, then by its own list of types. */
const ARRAYS = {
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
  F32: Float32Array,
  U32: Uint32Array,
  I32: Int32Array,
  BF16: Uint16Array,
  F16: Uint16Array,
  U16: Uint16Array,
  I16: Int16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;
export type Dtype = keyof ArrayOfDtype;
const DTYPES = Object.keys(ARRAYS) as Dtype[];

/** Bytes of one element. */
export function dtypeBytes(dtype: Dtype): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}

/** Where a tensor lies: [begin, end) in bytes from the beginning of the file. */
export interface TensorInfo {
  dtype: Dtype;
  shape: number[];
  begin: number;
  end: number;
}

/** A tensor in memory, row-major. A union by dtype, so that a checked dtype gives the array's type. */
export type Tensor = { [D in Dtype]: { dtype: D; shape: readonly number[]; data: ArrayOfDtype[D] } }[Dtype];
/** The tensors of one dtype: `TensorOf<"F32">`. */
export type TensorOf<D extends Dtype> = Extract<Tensor, { dtype: D }>;

export interface SafetensorsHeader {
  /** in the order of their place in the file */
  tensors: Map<string, TensorInfo>;
  metadata: Record<string, string>;
  /** where the data begin: the length number and the header */
  headerBytes: number;
}

/**
 * How many bytes of a file {@link parseSafetensorsHeader} needs, from its first eight: for readers that leave the data on disk.
 *
 * @param bytes - at least the file's first 8 bytes, or all of a shorter file
 * @param what - the file as errors name it
 * @param maxHeaderBytes - the longest header that such a file has
 */
export function measureSafetensorsHeader(
  bytes: Uint8Array,
  fileBytes: number,
  what: string,
  maxHeaderBytes = MAX_HEADER_BYTES,
): number {
  if (bytes.length < LENGTH_BYTES) throw truncated(what, LENGTH_BYTES, fileBytes, "before the header's length");
  if (new TextDecoder("latin1").decode(bytes.subarray(0, LENGTH_BYTES)) === GIT_LFS_START)
    throw invalid(what, "expected a safetensors file, got what Git LFS leaves in its place: git lfs pull fetches it");
  const length = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes))
    throw invalid(
      what,
      `expected a header of at most ${maxHeaderBytes} bytes, got ${length}: is it a safetensors file?`,
    );
  const headerBytes = LENGTH_BYTES + Number(length);
  if (headerBytes > fileBytes) throw truncated(what, headerBytes, fileBytes, "in the header");
  return headerBytes;
}

/**
 * Reads and checks a header by all of the format's rules; of the data only the length is looked at.
 *
 * @param bytes - the file's beginning: at least the whole header
 * @param fileBytes - length of the whole file
 * @param what - the file as errors name it
 * @param maxHeaderBytes - the longest header that such a file has
 * @throws InvalidInputError `SAFETENSORS_INVALID`, `SAFETENSORS_TRUNCATED`
 */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  fileBytes: number,
  what: string,
  maxHeaderBytes = MAX_HEADER_BYTES,
): SafetensorsHeader {
  const headerBytes = measureSafetensorsHeader(bytes, fileBytes, what, maxHeaderBytes);
  if (bytes.length < headerBytes) throw truncated(what, headerBytes, bytes.length, "in the header");
  const fields = parseHeaderJson(bytes.subarray(LENGTH_BYTES, headerBytes), what);
  let metadata: Record<string, string> = Object.create(null);
  const found: [string, TensorInfo][] = [];
  for (const [name, value] of Object.entries(fields))
    if (name === METADATA) metadata = checkMetadata(value, what);
    else found.push([name, checkTensor(name, value, headerBytes, what)]);
  found.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let end = headerBytes;
  for (const [name, info] of found) {
    if (info.begin !== end)
      throw invalid(
        what,
        `tensor ${quote(name)}: expected its data to begin at ${end - headerBytes}, where the tensor before ends, got ${info.begin - headerBytes}: ${info.begin < end ? "they overlap" : "bytes belong to none"}`,
      );
    end = info.end;
  }
  if (end > fileBytes)
    throw truncated(what, end, fileBytes, `in tensor ${quote(found.find(([, info]) => info.end > fileBytes)![0])}`);
  if (end < fileBytes)
    throw invalid(
      what,
      `expected the file to end with its last tensor at ${end} bytes, got ${fileBytes}: ${fileBytes - end} too many`,
    );
  return { tensors: new Map(found), metadata, headerBytes };
}

/**
 * A whole file in memory. Data are views into `bytes` where their place is aligned, else a copy of that tensor: at most the
 * file's length again.
 *
 * @param maxHeaderBytes - the longest header that such a file has
 * @throws InvalidInputError `SAFETENSORS_INVALID`, `SAFETENSORS_TRUNCATED`
 */
export function readSafetensors(
  bytes: Uint8Array,
  what: string,
  maxHeaderBytes = MAX_HEADER_BYTES,
): { tensors: Map<string, Tensor>; metadata: Record<string, string> } {
  const header = parseSafetensorsHeader(bytes, bytes.length, what, maxHeaderBytes);
  const tensors = new Map<string, Tensor>();
  for (const [name, info] of header.tensors) tensors.set(name, readTensor(bytes.subarray(info.begin, info.end), info));
  return { tensors, metadata: header.metadata };
}

/** A tensor from its bytes: a view where they are aligned, else a copy. The caller has checked the length. */
export function readTensor(bytes: Uint8Array, info: { dtype: Dtype; shape: readonly number[] }): Tensor {
  const size = dtypeBytes(info.dtype);
  // not slice(): that of Node's Buffer is a view, as little aligned as the buffer
  const place = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const data = new ARRAYS[info.dtype](place.buffer as ArrayBuffer, place.byteOffset, place.length / size);
  return { dtype: info.dtype, shape: info.shape, data } as Tensor;
}

/**
 * Writes a file, byte for byte as the official library does: tensors by dtype, then by name in code point order; metadata
 * first (its keys sorted: the library's own order varies); the header padded with spaces, so that data begin at a multiple of 8.
 *
 * @throws InvalidInputError `SAFETENSORS_INVALID` where a shape does not fit its data or a name cannot be written
 */
export function writeSafetensors(tensors: Record<string, Tensor>, metadata: Record<string, string> = {}): Uint8Array {
  const entries = Object.entries(tensors).sort(
    ([a, x], [b, y]) => DTYPES.indexOf(x.dtype) - DTYPES.indexOf(y.dtype) || compareByCodePoint(a, b),
  );
  const fields: string[] = [];
  const metadataEntries = Object.entries(metadata).sort(([a], [b]) => compareByCodePoint(a, b));
  if (metadataEntries.length > 0)
    fields.push(
      `"${METADATA}":{${metadataEntries.map(([key, value]) => `${writeString(key)}:${writeString(value)}`).join(",")}}`,
    );
  let end = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    if (name === METADATA) throw invalid("writing safetensors", `no tensor may be named ${METADATA}`);
    const elements = countElements(shape);
    if (elements !== data.length || !(data instanceof ARRAYS[dtype]))
      throw invalid(
        "writing safetensors",
        `tensor ${quote(name)}: expected ${elements} elements of ${dtype} for shape [${shape}], got ${data.length} in a ${data.constructor.name}`,
      );
    const begin = end;
    end += data.byteLength;
    fields.push(`${writeString(name)}:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${end}]}`);
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const padded = Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES;
  if (padded > MAX_HEADER_BYTES)
    throw invalid("writing safetensors", `expected a header of at most ${MAX_HEADER_BYTES} bytes, got ${padded}`);
  const bytes = new Uint8Array(LENGTH_BYTES + padded + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + padded);
  bytes.set(json, LENGTH_BYTES);
  let at = LENGTH_BYTES + padded;
  for (const [, { data }] of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

function parseHeaderJson(bytes: Uint8Array, what: string): object {
  if (bytes[0] !== 0x7b)
    throw invalid(
      what,
      `expected the header to begin with {, got ${bytes.length ? `byte ${bytes[0]}` : "an empty header"}`,
    );
  let json: string;
  try {
    json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid(what, "expected the header to be UTF-8, got other bytes");
  }
  const problem = findJsonKeyProblem(json, HEADER_DEPTH, quote, MAX_HEADER_VALUES);
  if (problem !== null) throw invalid(what, `header: ${problem}`);
  try {
    return JSON.parse(json) as object;
  } catch (error) {
    throw invalid(what, `expected the header to be JSON: ${(error as Error).message}`);
  }
}

function checkMetadata(value: unknown, what: string): Record<string, string> {
  if (!isObject(value)) throw invalid(what, `${METADATA}: expected an object of strings, got ${quote(value)}`);
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string")
      throw invalid(what, `${METADATA}: ${quote(key)}: expected a string, got ${quote(text)}`);
    metadata[key] = text;
  }
  return metadata;
}

function checkTensor(name: string, value: unknown, headerBytes: number, what: string): TensorInfo {
  const refuse = (reason: string) => invalid(what, `tensor ${quote(name)}: ${reason}`);
  if (!isObject(value)) throw refuse(`expected dtype, shape and data_offsets, got ${quote(value)}`);
  for (const key of Object.keys(value))
    if (key !== "dtype" && key !== "shape" && key !== "data_offsets")
      throw refuse(`expected dtype, shape and data_offsets, got ${quote(key)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(ARRAYS, dtype))
    throw refuse(`expected a dtype of ${DTYPES.join(", ")}, got ${quote(dtype)}`);
  if (!isCounts(shape) || shape.length > MAX_DIMENSIONS)
    throw refuse(`expected a shape of at most ${MAX_DIMENSIONS} whole numbers ≥ 0, got ${quote(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1])
    throw refuse(`expected data_offsets [begin, end], begin ≤ end, got ${quote(offsets)}`);
  const expected = countElements(shape) * dtypeBytes(dtype as Dtype);
  const [begin, end] = offsets;
  if (end - begin !== expected)
    throw refuse(`expected ${expected} bytes for ${dtype} of shape ${quote(shape)}, got ${end - begin}`);
  if (!Number.isSafeInteger(headerBytes + end)) throw refuse(`data_offsets beyond any file: ${quote(offsets)}`);
  return { dtype: dtype as Dtype, shape, begin: headerBytes + begin, end: headerBytes + end };
}

function countElements(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((number) => Number.isSafeInteger(number) && number >= 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function writeString(text: string): string {
  if (!text.isWellFormed()) throw invalid("writing safetensors", `${quote(text)} is not well-formed Unicode`);
  return JSON.stringify(text);
}

/** As Rust and UTF-8 order text; UTF-16 order differs where surrogates meet U+E000 to U+FFFF. */
function compareByCodePoint(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let at = 0; at < left.length && at < right.length; at++)
    if (left[at] !== right[at]) return left[at].codePointAt(0)! - right[at].codePointAt(0)!;
  return left.length - right.length;
}

function truncated(what: string, expected: number, got: number, where: string): InvalidInputError {
  return new InvalidInputError(
    "SAFETENSORS_TRUNCATED",
    `${what}: truncated ${where}: expected ${expected} bytes, got ${got}: ${expected - got} missing`,
  );
}

function invalid(what: string, reason: string): InvalidInputError {
  return new InvalidInputError("SAFETENSORS_INVALID", `${what}: ${reason}`);
}
