const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/**
 * The number rounded to bfloat16, as PyTorch rounds: to float32 first, then its lower 16 bits away, ties to even.
 *
 * @example roundToBfloat16(2.005) // 2
 */
export function roundToBfloat16(value: number): number {
  single[0] = value;
  if (Number.isNaN(value)) return Number.NaN;
  bits[0] += 0x7fff + ((bits[0] >>> 16) & 1);
  bits[0] &= 0xffff0000;
  return single[0];
}
