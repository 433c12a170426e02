import { describe, expect, it } from "@jest/globals";
import { InvalidInputError } from "../../../shared/src/core/errors.ts";
import {
  measureSafetensorsHeader,
  parseSafetensorsHeader,
  readSafetensors,
  type Tensor,
  writeSafetensors,
} from "../../../shared/src/formats/safetensors.ts";

/** A file with any header whatever. */
function fileOf(header: string | Uint8Array, dataBytes = 0): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const tensor = (begin: number, end: number, shape = `[${end - begin}]`, dtype = "U8") =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

function refusal(bytes: Uint8Array): InvalidInputError {
  try {
    readSafetensors(bytes, "client harbour: model.safetensors");
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return error as InvalidInputError;
  }
  throw new Error("expected a refusal");
}

const everyDtype: Record<string, Tensor> = {
  u64: { dtype: "U64", shape: [2], data: new BigUint64Array([1n, 2n ** 64n - 1n]) },
  i64: { dtype: "I64", shape: [1], data: new BigInt64Array([-5n]) },
  f64: { dtype: "F64", shape: [1, 1], data: new Float64Array([Math.PI]) },
  f32: { dtype: "F32", shape: [3], data: new Float32Array([1.5, -2, 0]) },
  u32: { dtype: "U32", shape: [1], data: new Uint32Array([4294967295]) },
  i32: { dtype: "I32", shape: [], data: new Int32Array([-7]) },
  bf16: { dtype: "BF16", shape: [1], data: new Uint16Array([0x3f80]) },
  f16: { dtype: "F16", shape: [1], data: new Uint16Array([0x3c00]) },
  u16: { dtype: "U16", shape: [1], data: new Uint16Array([65535]) },
  i16: { dtype: "I16", shape: [1], data: new Int16Array([-1]) },
  i8: { dtype: "I8", shape: [3], data: new Int8Array([-1, 0, 1]) },
  u8: { dtype: "U8", shape: [0, 4], data: new Uint8Array() },
  bool: { dtype: "BOOL", shape: [2], data: new Uint8Array([0, 1]) },
};

describe("safetensors", () => {
  it("reads back every dtype that it writes", () => {
    const read = readSafetensors(writeSafetensors(everyDtype, { format: "pt" }), "file");
    expect(Object.fromEntries(read.tensors)).toEqual(everyDtype);
    expect({ ...read.metadata }).toEqual({ format: "pt" });
  });

  it("writes equal tensors as equal bytes, whatever the order they come in", () => {
    const reversed = Object.fromEntries(Object.entries(everyDtype).reverse());
    expect(writeSafetensors(reversed, { b: "2", a: "1" })).toEqual(writeSafetensors(everyDtype, { a: "1", b: "2" }));
  });

  it("gives views where the data are aligned and copies where they are not", () => {
    const file = writeSafetensors({ a: { dtype: "F32", shape: [1], data: new Float32Array([1.5]) } });
    const view = readSafetensors(file, "file").tensors.get("a")!;
    expect(view.data.buffer).toBe(file.buffer);
    const shifted = new Uint8Array(file.length + 1);
    shifted.set(file, 1);
    const copy = readSafetensors(shifted.subarray(1), "file").tensors.get("a")!;
    expect(copy.data.buffer).not.toBe(shifted.buffer);
    expect(copy.data).toEqual(new Float32Array([1.5]));
  });

  it("copies what is not aligned in one of Node's buffers, too, whose slices are views", () => {
    const file = Buffer.from(fileOf(`{"a":${tensor(0, 4, "[1]", "F32")}}`, 4));
    file.writeFloatLE(1.5, file.length - 4);
    expect((file.byteOffset + file.length) % 4).not.toBe(0);
    expect(readSafetensors(file, "file").tensors.get("a")!.data).toEqual(new Float32Array([1.5]));
  });

  it("refuses a header longer than its reader expects of such a file, before it looks at it", () => {
    const file = writeSafetensors({ weight: { dtype: "U8", shape: [0], data: new Uint8Array() } });
    expect(() => readSafetensors(file, "file", 16)).toThrow("file: expected a header of at most 16 bytes, got 64");
  });

  it("gives absolute offsets from the header alone, so that data may stay on disk", () => {
    const file = writeSafetensors({ a: { dtype: "F32", shape: [1, 2], data: new Float32Array(2) } });
    const headerBytes = measureSafetensorsHeader(file.subarray(0, 8), file.length, "file");
    const header = parseSafetensorsHeader(file.subarray(0, headerBytes), file.length, "file");
    expect(header.headerBytes).toBe(file.length - 8);
    expect(header.headerBytes % 8).toBe(0);
    expect(header.tensors.get("a")).toEqual({ dtype: "F32", shape: [1, 2], begin: file.length - 8, end: file.length });
  });

  it("takes names that are special to JavaScript as names like any other", () => {
    const data = new Uint8Array([7]);
    const tensors = Object.fromEntries(
      ["__proto__", "constructor", "1"].map((name) => [name, { dtype: "U8", shape: [1], data } as const]),
    );
    const read = readSafetensors(writeSafetensors(tensors, Object.fromEntries([["__proto__", "x"]])), "file");
    expect([...read.tensors.keys()].sort()).toEqual(["1", "__proto__", "constructor"]);
    expect(Object.hasOwn(read.metadata, "__proto__")).toBe(true);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
    expect(read.metadata.constructor).toBeUndefined();
  });

  it("tells a file that Git LFS has not fetched from a damaged one", () => {
    const pointer = new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
    expect(() => readSafetensors(pointer, "file")).toThrow(/file: expected a safetensors file.*git lfs pull/);
  });

  it("says of a truncated file how many bytes are missing, and in which tensor", () => {
    const file = writeSafetensors({ weight: { dtype: "F32", shape: [4], data: new Float32Array(4) } });
    const error = refusal(file.subarray(0, file.length - 6));
    expect(error.code).toBe("SAFETENSORS_TRUNCATED");
    expect(error.message).toBe(
      `client harbour: model.safetensors: truncated in tensor "weight": expected ${file.length} bytes, got ${file.length - 6}: 6 missing`,
    );
    expect(refusal(file.subarray(0, 5)).message).toContain("3 missing");
    expect(refusal(file.subarray(0, 20)).message).toContain("truncated in the header");
    expect(refusal(new Uint8Array()).message).toContain("8 missing");
  });

  it.each([
    ["a header that is too long", new Uint8Array(8).fill(255), "at most 100000000 bytes, got 18446744073709551615"],
    ["an empty header", fileOf(""), "begin with {"],
    ["a header that begins with a space", fileOf(" {}"), "begin with {, got byte 32"],
    ["a header that is not UTF-8", fileOf(new Uint8Array([0x7b, 0xff, 0x7d])), "UTF-8"],
    ["a header that is not JSON", fileOf('{"a":}'), "JSON"],
    ["a tensor twice", fileOf(`{"a":${tensor(0, 1)},"\\u0061":${tensor(1, 2)}}`, 2), 'the key "a" occurs twice'],
    ["values without number", fileOf(`{"a":[${"0,".repeat(1e6)}0]}`), "holds more than 1000000 values"],
    ["deep nesting", fileOf(`{"a":${"[".repeat(1000)}`), "nested deeper than 3"],
    [
      "metadata that are not strings",
      fileOf('{"__metadata__":{"a":1}}'),
      '__metadata__: "a": expected a string, got 1',
    ],
    ["metadata that are no object", fileOf('{"__metadata__":[]}'), "expected an object of strings"],
    [
      "a tensor that is no object",
      fileOf('{"a":null}'),
      'tensor "a": expected dtype, shape and data_offsets, got null',
    ],
    ["an unknown key", fileOf('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}'), 'got "x"'],
    ["an unknown dtype", fileOf(`{"a":${tensor(0, 1, "[1]", "toString")}}`, 1), 'got "toString"'],
    ["a negative dimension", fileOf(`{"a":${tensor(0, 1, "[-1]")}}`, 1), "whole numbers"],
    ["a fractional dimension", fileOf(`{"a":${tensor(0, 1, "[0.5,2]")}}`, 1), "whole numbers"],
    ["offsets the wrong way round", fileOf(`{"a":${tensor(1, 0, "[1]")}}`, 1), "begin ≤ end"],
    ["three offsets", fileOf('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}}'), "[begin, end]"],
    [
      "a shape that does not fit",
      fileOf(`{"a":${tensor(0, 4, "[2]", "F32")}}`, 4),
      "expected 8 bytes for F32 of shape [2], got 4",
    ],
    [
      "a shape whose product overflows",
      fileOf(`{"a":${tensor(0, 4, "[9007199254740991,9007199254740991]")}}`, 4),
      "expected 8.1",
    ],
    [
      "a shape without end",
      fileOf(`{"a":${tensor(0, 4, `[${"1,".repeat(1e5)}9]`)}}`, 4),
      "expected a shape of at most 64 whole numbers ≥ 0, got [1,1,",
    ],
    ["an overlap", fileOf(`{"a":${tensor(0, 2)},"b":${tensor(1, 3)}}`, 3), "overlap"],
    ["a hole", fileOf(`{"a":${tensor(0, 2)},"b":${tensor(3, 4)}}`, 4), "bytes belong to none"],
    ["a hole at the beginning", fileOf(`{"a":${tensor(1, 2)}}`, 2), "bytes belong to none"],
    ["bytes after the last tensor", fileOf(`{"a":${tensor(0, 2)}}`, 5), "3 too many"],
  ])("refuses %s", (_, bytes, message) => {
    const error = refusal(bytes);
    expect(error.message).toContain(message);
    expect(error.message).toMatch(/^client harbour: model\.safetensors: /);
  });

  it.each([
    ["a shape that does not fit its data", { a: { dtype: "U8", shape: [2], data: new Uint8Array(1) } }],
    ["an array of another type", { a: { dtype: "F32", shape: [1], data: new Int32Array(1) } as unknown as Tensor }],
    ["a tensor by the metadata's name", { __metadata__: { dtype: "U8", shape: [1], data: new Uint8Array(1) } }],
    ["a name that is not Unicode", { "\ud800": { dtype: "U8", shape: [1], data: new Uint8Array(1) } }],
  ] as [string, Record<string, Tensor>][])("does not write %s", (_, tensors) => {
    expect(() => writeSafetensors(tensors)).toThrow(InvalidInputError);
  });
});
