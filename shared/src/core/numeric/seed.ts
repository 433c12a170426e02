/**
 * A seed for one purpose, from the run's seed and the purpose's name: equal for equal labels on every machine, and
 * unlike for unlike ones, so that two uses of randomness never share a stream. 32-bit MurmurHash3 over the labels' UTF-16
 * units, each label preceded by its type and length, so that ("ab", "c"), ("a", "bc") and ("1") and (1) differ.
 *
 * @param seed - an integer from 0 to 2³² − 1
 * @returns an integer from 0 to 2³² − 1
 * @example deriveSeed(7, "order", "public", "harbour", 1) // 4288069961
 */
export function deriveSeed(seed: number, ...labels: (string | number)[]): number {
  let hash = seed | 0;
  let words = 0;
  const add = (word: number) => {
    hash = mixWord(hash, word);
    words++;
  };
  for (const label of labels) {
    const text = String(label);
    add(typeof label === "number" ? 1 : 2);
    add(text.length);
    for (let index = 0; index < text.length; index++) add(text.charCodeAt(index));
  }
  return finish(hash ^ (words * 4)) >>> 0;
}

function mixWord(hash: number, word: number): number {
  let block = Math.imul(word, 0xcc9e2d51);
  block = Math.imul((block << 15) | (block >>> 17), 0x1b873593);
  const mixed = hash ^ block;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
