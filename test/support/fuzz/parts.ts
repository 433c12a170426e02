/** A safetensors file taken apart and put together by hand, not by the code under test. */
export interface Parts {
  json: string;
  data: Uint8Array;
  /** in the order of their place */
  tensors: RawTensor[];
  metadata: Record<string, string>;
}

interface RawTensor {
  name: string;
  dtype: string;
  shape: number[];
  /** bytes of one element */
  size: number;
  data: Uint8Array;
}

const LENGTH_BYTES = 8;
const SIZES: Readonly<Record<string, number>> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  U8: 1,
  I8: 1,
  BOOL: 1,
};
const WORD_BYTES = 4;

/** @returns null where it is no safetensors file any more */
export function splitSafetensors(file: Uint8Array): Parts | null {
  if (file.length < LENGTH_BYTES) return null;
  const length = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  if (length > BigInt(file.length - LENGTH_BYTES)) return null;
  const end = LENGTH_BYTES + Number(length);
  const json = new TextDecoder().decode(file.subarray(LENGTH_BYTES, end));
  const data = file.subarray(end);
  try {
    const { __metadata__: metadata = {}, ...rest } = JSON.parse(json);
    const tensors = Object.entries(rest).map(([name, value]) => {
      const { dtype, shape, data_offsets: offsets } = value as Record<string, never>;
      return rawTensor(name, dtype, shape, data.slice(offsets[0], offsets[1]));
    });
    if (typeof metadata !== "object" || metadata === null) return null;
    return { json, data, tensors, metadata };
  } catch {
    return null;
  }
}

function rawTensor(name: string, dtype: unknown, shape: unknown, data: Uint8Array): RawTensor {
  if (!Array.isArray(shape) || !shape.every(Number.isFinite) || typeof dtype !== "string")
    throw new TypeError("no tensor");
  return { name, dtype, shape, data, size: SIZES[dtype] ?? WORD_BYTES };
}

/** @param padded - whether the data begin at a multiple of 8, as the official library writes them */
export function joinSafetensors(json: string, data: Uint8Array, padded = true): Uint8Array {
  let header = new TextEncoder().encode(json);
  if (padded)
    header = new TextEncoder().encode(
      json + " ".repeat((LENGTH_BYTES - (header.length % LENGTH_BYTES)) % LENGTH_BYTES),
    );
  const file = new Uint8Array(LENGTH_BYTES + header.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, LENGTH_BYTES);
  file.set(data, LENGTH_BYTES + header.length);
  return file;
}

/** A file of these tensors one after another, whatever their shapes say. */
export function layOut(tensors: readonly Omit<RawTensor, "size">[], metadata: Record<string, string>): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata };
  let end = 0;
  for (const { name, dtype, shape, data } of tensors) {
    const begin = end;
    end += data.length;
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const all = new Uint8Array(end);
  let at = 0;
  for (const { data } of tensors) {
    all.set(data, at);
    at += data.length;
  }
  return joinSafetensors(JSON.stringify(header), all);
}
