/** Where the tokens could not be laid: the byte of the text, and the token that did not fit (−1: text was left over). */
export interface Misfit {
  misfit: { byte: number; token: number };
}

/**
 * Lays tokens over a text's bytes, one after the other, to learn where each ends.
 *
 * An unknown token covers the shortest run of whole characters after which the tokens up to the next unknown one fit; that
 * is where the first writable character stands, because a run of unknown characters holds none. The last such stretch is
 * laid against the text's end. Time O(bytes) but for pathological repetitions inside one stretch.
 *
 * @param bytes - the text's UTF-8 bytes, an added space included
 * @param tokens - each token's bytes, null where it is the unknown token
 * @param fused - whether one unknown token may cover several characters
 * @returns for each token the offset in `bytes` at which it ends
 */
export function layTokens(
  bytes: Uint8Array,
  tokens: readonly (Uint8Array | null)[],
  fused: boolean,
): { ends: Int32Array } | Misfit {
  const ends = new Int32Array(tokens.length);
  let position = 0;
  let index = 0;
  while (index < tokens.length) {
    const token = tokens[index];
    if (token !== null) {
      if (!matches(bytes, position, token)) return { misfit: { byte: position, token: index } };
      position += token.length;
      ends[index++] = position;
      continue;
    }
    if (position >= bytes.length) return { misfit: { byte: position, token: index } };
    let next = nextCharacter(bytes, position);
    if (fused) {
      let last = index + 1;
      let length = 0;
      while (last < tokens.length && tokens[last] !== null) length += tokens[last++]!.length;
      const stretch = tokens.slice(index + 1, last) as Uint8Array[];
      const latest = bytes.length - length;
      if (last === tokens.length) {
        // Nothing unknown follows: the stretch ends where the text ends.
        if (latest < next || isContinuation(bytes, latest)) return { misfit: { byte: position, token: index } };
        next = latest;
      } else {
        while (next <= latest && !stretchMatches(bytes, next, stretch)) next = nextCharacter(bytes, next);
        if (next > latest) return { misfit: { byte: position, token: index } };
      }
    }
    position = next;
    ends[index++] = position;
  }
  if (position !== bytes.length) return { misfit: { byte: position, token: -1 } };
  return { ends };
}

function stretchMatches(bytes: Uint8Array, start: number, stretch: readonly Uint8Array[]): boolean {
  let position = start;
  for (const token of stretch) {
    if (!matches(bytes, position, token)) return false;
    position += token.length;
  }
  return true;
}

function matches(bytes: Uint8Array, start: number, token: Uint8Array): boolean {
  if (start + token.length > bytes.length) return false;
  for (let index = 0; index < token.length; index++) if (bytes[start + index] !== token[index]) return false;
  return true;
}

function nextCharacter(bytes: Uint8Array, position: number): number {
  let next = position + 1;
  while (isContinuation(bytes, next)) next++;
  return next;
}

function isContinuation(bytes: Uint8Array, position: number): boolean {
  return position < bytes.length && (bytes[position] & 0xc0) === 0x80;
}
