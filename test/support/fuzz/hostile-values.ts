const DEEP = 40_000;
const LONG = 5_000;
const DEEP_LIST = "[".repeat(DEEP) + "]".repeat(DEEP);

/** JSON that readers have been broken with elsewhere; each stands where a value stood. */
export const HOSTILE_JSON: readonly string[] = [
  ...["-1", "0", "1", "0.5", "-0", "1e-320", "1e308", "1e999", "-1e999"],
  ...["2147483647", "2147483648", "4294967295", "4294967296", "9007199254740991", "9007199254740993"],
  ...["18446744073709551615", "1e15", "1e21", "0x10", "01", "NaN", "Infinity", "null", "true"],
  ...["[]", "{}", "[[]]", "[0,0]", "[0,-8]", "[8,0]", "[0,9007199254740991]", "[4294967296,4294967296]"],
  ...["[9007199254740991,9007199254740991,0]", "[1e308,1e308]", '[{"toString":0,"valueOf":0}]', '{"toString":0}'],
  ...[
    '{"__proto__":{"x":1}}',
    '"__proto__"',
    '""',
    '"\\ud800"',
    '"\\u0000"',
    '"F32"',
    '"I32"',
    '"U8"',
    '"F64"',
    '"F8_E4M3"',
  ],
  ...[
    '"2"',
    '"-1"',
    '"1e3"',
    '"00"',
    '"../../etc/passwd"',
    '"token"',
    '"group"',
    '"min-edit"',
    '"server"',
    '"\\u2028"',
  ],
  `"${"x".repeat(LONG)}"`,
  `[${new Array<number>(LONG).fill(1).join()}]`,
  `[${new Array<number>(LONG).fill(0).join()}]`,
  `{${Array.from({ length: LONG }, (_, index) => `"${index}":0`).join()}}`,
  DEEP_LIST,
  '{"a":'.repeat(DEEP) + 0 + "}".repeat(DEEP),
  // JSON in a string of JSON, as our metadata hold
  JSON.stringify(DEEP_LIST),
  JSON.stringify(`{"targetPositions":${DEEP_LIST},"alignedPositions":0,"keptMass":0,"exactMass":0,"unmappedMass":0}`),
  `"${"9".repeat(LONG)}"`,
];

/** A whole number's neighbours, multiples and limits, as text. */
export function nearNumber(text: string, value: number): string {
  const number = Number(text);
  const near = [
    number + 1,
    number - 1,
    number + 4,
    number - 4,
    number * 2,
    -number,
    number + 2 ** 32,
    0,
    1,
    2 ** 31 - 1,
  ];
  const limits = [2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 20, 2 ** 20 + 1, 1e300, 0.5];
  return String([...near, ...near, ...limits][value % (2 * near.length + limits.length)]);
}

/** Overwrites one little-endian element by a value that its type allows and its reader may not expect. */
export function hostileElement(data: Uint8Array, at: number, dtype: string, value: number): void {
  const view = new DataView(data.buffer, data.byteOffset);
  const bits = value >>> 4;
  if (dtype === "F32") {
    const now = view.getFloat32(at, true);
    view.setFloat32(at, pick(hostileFloats(now, 1e-40), bits), true);
  } else if (dtype === "F64") {
    const now = view.getFloat64(at, true);
    view.setFloat64(at, pick(hostileFloats(now, 5e-324), bits), true);
  } else if (dtype === "I32") {
    const now = view.getInt32(at, true);
    view.setInt32(
      at,
      pick([now + 1, now - 1, -1, 0, 1, -now, now * 2, 2 ** 31 - 1, -(2 ** 31), 2 ** 30, 511, 512], bits),
      true,
    );
  } else if (dtype === "BF16" || dtype === "F16")
    view.setUint16(at, pick([0x7f80, 0xff80, 0x7fc0, 0x7c00, 0xfc00, 0x7e00, 1, 0x8000, 0x3f80], bits), true);
  else data[at] = pick([0, 1, 2, 127, 128, 255, data[at] + 1], bits);
}

function hostileFloats(now: number, denormal: number): number[] {
  const special = [Number.NaN, Infinity, -Infinity, denormal, -denormal, -0, 0, 1, -1, 2, 1e30, -1e30];
  return [...special, now * 1.001, now * 0.999, now + 0.01, now - 0.01, -now, now / 2];
}

function pick(values: readonly number[], bits: number): number {
  return values[bits % values.length];
}
