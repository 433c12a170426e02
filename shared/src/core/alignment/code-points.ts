/** Bytes that are no UTF-8 become code points of their own, above Unicode's last (U+10FFFF). */
const STRAY_BYTE = 0x110000;
/** One more than the highest. */
export const CODE_POINTS = STRAY_BYTE + 0x100;

/**
 * A token's characters, for edit distances. Valid UTF-8 is decoded; a byte that belongs to no valid character (a byte token
 * such as `<0xE2>`, half a character of byte-level BPE) is one character of its own, unlike every real one, so that byte
 * 0xC3 is not mistaken for "Ã".
 *
 * @example codePointsOf(Uint8Array.of(0x61, 0xc3, 0xa9, 0xc3)) // [0x61, 0xe9, 0x1100c3]
 */
export function codePointsOf(bytes: Uint8Array): Int32Array {
  const points = new Int32Array(bytes.length);
  return points.slice(0, writeCodePoints(bytes, points, 0));
}

/** Writes a token's characters into an array that has room for one a byte. @returns where they end */
export function writeCodePoints(bytes: Uint8Array, points: Int32Array, at: number): number {
  let end = at;
  let position = 0;
  while (position < bytes.length) {
    const length = characterLength(bytes, position);
    if (length === 0) points[end++] = STRAY_BYTE + bytes[position++];
    else {
      let point = length === 1 ? bytes[position] : bytes[position] & (0xff >> (length + 1));
      for (let index = 1; index < length; index++) point = (point << 6) | (bytes[position + index] & 0x3f);
      points[end++] = point;
      position += length;
    }
  }
  return end;
}

/** Bytes of the valid UTF-8 character at a position, 0 where there is none: no overlong forms, surrogates or giants. */
function characterLength(bytes: Uint8Array, position: number): number {
  const first = bytes[position];
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  // a byte behind the end is undefined, and goes on with no character
  for (let index = 1; index < length; index++) if ((bytes[position + index] & 0xc0) !== 0x80) return 0;
  const second = bytes[position + 1];
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f)) return 0;
  if ((first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f)) return 0;
  return length;
}
