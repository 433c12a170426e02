import fc from "fast-check";
import { HOSTILE_JSON, hostileElement, nearNumber } from "./hostile-values.ts";
import { joinSafetensors, layOut, type Parts, splitSafetensors } from "./parts.ts";

/** To any file, byte by byte. */
const BYTE_CHANGES = ["flip", "set", "cut", "extend", "drop", "insert", "splice"] as const;
/** To JSON, wherever it stands; in a safetensors file the header's length is made right again. */
const TEXT_CHANGES = ["value", "number", "key", "twice", "remove"] as const;
/** To a safetensors file: its length number; its data, by the tensors' types; whole tensors and metadata, laid out anew. */
const TENSOR_CHANGES = [
  "length",
  "shift",
  "element",
  "swap",
  "copy",
  "resize",
  "retype",
  "reshape",
  "rename",
  "metadata",
] as const;

type Kind = (typeof BYTE_CHANGES)[number] | (typeof TEXT_CHANGES)[number] | (typeof TENSOR_CHANGES)[number];

/** One change of a file, meant for files of any length: places are shares of whatever is changed. */
export interface Change {
  kind: Kind;
  /** where */
  place: number;
  /** how far from there, or where to */
  reach: number;
  /** what is put there: bits, or which of the hostile values */
  value: number;
}

export type Framing = "safetensors" | "json";

/** Changes after which a file is still of its form, so that what reads the values behind it is reached. */
const DEEP_CHANGES: Readonly<Record<Framing, readonly Kind[]>> = {
  safetensors: ["element", "element", "swap", "copy", "resize", "metadata"],
  json: ["value", "number", "key"],
};

/** Lists of changes; more than one, so that one may make good what another broke. */
export function changesOf(framing: Framing): fc.Arbitrary<Change[]> {
  const all: readonly Kind[] = [...BYTE_CHANGES, ...TEXT_CHANGES, ...(framing === "json" ? [] : TENSOR_CHANGES)];
  const kinds = fc.constantFrom(fc.constantFrom(...all), fc.constantFrom(...DEEP_CHANGES[framing]));
  // fc.double draws by bit pattern, nearly always next to 0: every change would strike a file's first byte
  const bits = fc.noBias(fc.nat(2 ** 32 - 1));
  const share = bits.map((whole) => whole / 2 ** 32);
  return kinds.chain((kind) =>
    fc.array(fc.record({ kind, place: share, reach: share, value: bits }), { minLength: 1, maxLength: 3 }),
  );
}

/** The changed file. A change of a structure that an earlier one has destroyed turns a bit instead. */
export function applyChanges(file: Uint8Array, changes: readonly Change[], framing: Framing): Uint8Array {
  return changes.reduce((bytes, change) => applyChange(bytes, change, framing), file);
}

function applyChange(file: Uint8Array, change: Change, framing: Framing): Uint8Array {
  const { kind } = change;
  if (isOneOf(BYTE_CHANGES, kind)) return changeBytes(file, change);
  if (framing === "json") {
    const text = isOneOf(TEXT_CHANGES, kind) ? changeText(new TextDecoder().decode(file), change) : null;
    return text === null ? changeBytes(file, { ...change, kind: "flip" }) : new TextEncoder().encode(text);
  }
  return tryChangeParts(file, change) ?? changeBytes(file, { ...change, kind: "flip" });
}

/** @returns null where an earlier change has left nothing to take hold of */
function tryChangeParts(file: Uint8Array, change: Change): Uint8Array | null {
  const parts = splitSafetensors(file);
  try {
    return parts === null ? null : changeParts(file, parts, change);
  } catch {
    return null;
  }
}

function changeBytes(file: Uint8Array, { kind, place, reach, value }: Change): Uint8Array {
  const at = Math.floor(place * file.length);
  const other = Math.floor(reach * file.length);
  const bytes = file.slice();
  if (kind === "flip" && bytes.length > 0) bytes[at] ^= 1 << (value % 8);
  else if (kind === "set" && bytes.length > 0) bytes[at] = value;
  else if (kind === "cut") return bytes.subarray(0, at);
  else if (kind === "extend") return concatenate(bytes, new Uint8Array((value % 40) + 1).fill(value >>> 8));
  else if (kind === "drop") return concatenate(bytes.subarray(0, at), bytes.subarray(at + 1 + (value % 8)));
  else if (kind === "insert")
    return concatenate(bytes.subarray(0, at), new Uint8Array((value % 8) + 1).fill(value >>> 8), bytes.subarray(at));
  else if (kind === "splice") bytes.copyWithin(at, other, other + (value % 64) + 1);
  return bytes;
}

/** Strings, numbers, words and marks of JSON, with their places. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;

function changeText(json: string, { kind, place, reach, value }: Change): string | null {
  const tokens = [...json.matchAll(TOKEN)].map((match) => ({ text: match[0], begin: match.index }));
  const isKey = (index: number) => tokens[index + 1]?.text === ":";
  const wanted = tokens.filter(({ text }, index) => {
    if (kind === "number") return /^[-\d]/.test(text);
    if (kind === "value") return /^["\-\dtfn]/.test(text) && !isKey(index);
    return isKey(index);
  });
  if (wanted.length === 0) return null;
  const { text, begin } = wanted[Math.floor(place * wanted.length)];
  const replaceBy = (put: string) => json.slice(0, begin) + put + json.slice(begin + text.length);
  if (kind === "number") return replaceBy(nearNumber(text, value));
  if (kind === "value") return replaceBy(HOSTILE_JSON[value % HOSTILE_JSON.length]);
  if (kind === "key") {
    const names = wanted.map((one) => one.text);
    return replaceBy([...names, '"__proto__"', '""', '"\\u0061"'][Math.floor(reach * (names.length + 3))]);
  }
  const comma = json.indexOf(",", begin);
  if (comma < 0) return null;
  if (kind === "twice") return json.slice(0, comma + 1) + json.slice(begin, comma + 1) + json.slice(comma + 1);
  return json.slice(0, begin) + json.slice(comma + 1);
}

function changeParts(file: Uint8Array, parts: Parts, change: Change): Uint8Array | null {
  const { kind, place, reach, value } = change;
  if (isOneOf(TEXT_CHANGES, kind)) {
    const json = changeText(parts.json, change);
    return json === null ? null : joinSafetensors(json, parts.data, value % 2 === 0);
  }
  if (kind === "length") {
    const bytes = file.slice();
    const rest = BigInt(file.length);
    const lengths = [
      0n,
      1n,
      rest - 8n,
      rest - 7n,
      rest,
      100_000_000n,
      100_000_001n,
      1n << 31n,
      1n << 53n,
      (1n << 64n) - 1n,
    ];
    const hostile = lengths[value % lengths.length];
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, hostile), true);
    return bytes;
  }
  const { tensors, metadata } = parts;
  if (kind === "metadata") {
    const keys = Object.keys(metadata);
    if (keys.length === 0) return null;
    const key = keys[Math.floor(place * keys.length)];
    // JSON in a text
    const inner = metadata[key].startsWith("{")
      ? changeText(metadata[key], { ...change, kind: "number", place: reach })
      : null;
    if (inner !== null && value % 4 > 0) return layOut(tensors, { ...metadata, [key]: inner });
    const text = /^\d+$/.test(metadata[key])
      ? nearNumber(metadata[key], value)
      : String(HOSTILE_JSON[value % HOSTILE_JSON.length]);
    return layOut(tensors, { ...metadata, [key]: text });
  }
  const index = Math.floor(place * tensors.length);
  const tensor = tensors[index];
  if (tensor === undefined) return null;
  const replaceBy = (put: Partial<typeof tensor>) => layOut(tensors.with(index, { ...tensor, ...put }), metadata);
  const { size, data, shape } = tensor;
  if (kind === "shift") {
    const by = [1, -1, 4, -4, data.length, -data.length][value % 6];
    return joinSafetensors(shiftOffsets(parts.json, tensor.name, by), parts.data, value % 4 < 2);
  }
  const elements = data.length / size;
  const at = Math.min(Math.floor(reach * elements), elements - 1) * size;
  if (kind === "rename")
    return reach < 0.3 ? layOut(tensors.toSpliced(index, 1), metadata) : replaceBy({ name: `${tensor.name}s` });
  if (kind === "retype") {
    const dtype = ["F32", "I32", "U8", "F64", "I64", "BF16", "F16", "U32", "BOOL", "I8"][value % 10];
    return replaceBy({ dtype });
  }
  if (kind === "reshape") {
    const shapes = [
      [...shape, 1],
      [1, ...shape],
      [elements],
      [],
      [...shape, 0],
      new Array<number>(value % 300).fill(1),
      [-1, ...shape],
    ];
    return replaceBy({ shape: shapes[value % shapes.length] });
  }
  if (kind === "resize") {
    const rows = shape[0] ?? 1;
    const row = rows === 0 ? size : data.length / rows;
    const grown = value % 2 === 0;
    const cut = Math.floor(reach * (rows + 1)) * row;
    const kept = grown
      ? concatenate(data.subarray(0, cut), new Uint8Array(row), data.subarray(cut))
      : concatenate(data.subarray(0, cut), data.subarray(cut + row));
    return replaceBy({ data: kept, shape: [kept.length / row, ...shape.slice(1)] });
  }
  if (elements === 0) return null;
  const changed = data.slice();
  const other = (value % elements) * size;
  if (kind === "element") hostileElement(changed, at, tensor.dtype, value);
  else {
    // an element, or a whole row, such as a sample's id
    const row = value % 2 === 0 ? size : data.length / (shape[0] || 1);
    const [to, from] = [at - (at % row), other - (other % row)];
    changed.copyWithin(to, from, from + row);
    if (kind === "swap") changed.set(data.subarray(to, to + row), from);
  }
  return replaceBy({ data: changed });
}

/** Moves a tensor's place over its neighbours', or away from them, its length unchanged. */
function shiftOffsets(json: string, name: string, by: number): string {
  const header = JSON.parse(json);
  header[name].data_offsets = header[name].data_offsets.map((offset: number) => offset + by);
  return JSON.stringify(header);
}

function concatenate(...pieces: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function isOneOf<T extends string>(names: readonly T[], name: string): name is T {
  return (names as readonly string[]).includes(name);
}
