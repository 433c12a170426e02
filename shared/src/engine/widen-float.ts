/** bfloat16 bits to f32: they are its upper half. */
export function widenBfloat16(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length);
  for (let at = 0; at < bits.length; at++) wide[at] = bits[at] << 16;
  return new Float32Array(wide.buffer);
}

/** IEEE half-precision bits to f32. */
export function widenFloat16(bits: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => widenHalf(half));
  const wide = new Float32Array(bits.length);
  for (let at = 0; at < bits.length; at++) wide[at] = table[bits[at]];
  return wide;
}

/** Of every half-precision number: a model has thousands of each. */
let table: Float32Array | null = null;

function widenHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
