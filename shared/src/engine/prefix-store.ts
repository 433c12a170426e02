import type { Architecture } from "./architectures/architecture.ts";

/** Tokens that are kept and given up together. */
const BLOCK_TOKENS = 16;

/** So many tokens of a text after what comes before them, with their keys and values. */
interface Block {
  /** what follows the same text, itself included */
  readonly level: Set<Block>;
  readonly tokens: Int32Array;
  /** as {@link KeyValueRows.read} gives them */
  readonly data: Float32Array;
  readonly children: Set<Block>;
}

/** What a text begins with. */
export interface KnownPrefix {
  /** how many tokens */
  tokens: number;
  /** in their order, with how many tokens of each are meant */
  parts: readonly { data: Float32Array; tokens: number }[];
}

/**
 * Keys and values of texts' beginnings, by the adapter that they were read with: a tree whose paths are texts, so that what several
 * texts begin with is kept once. Of what was not used for longest the ends go first.
 */
export class PrefixStore<Adapter extends object> {
  readonly #most: number;
  /** by adapter; null: the base model */
  readonly #roots = new Map<Adapter | null, Set<Block>>();
  readonly #blockBytes: number;
  /** by use: what was not used for longest comes first, and each block before the one that it follows */
  readonly #blocks = new Set<Block>();

  /** @param bytes - most that are kept */
  constructor({ blocks, attention }: Architecture, bytes: number) {
    const { keyValueHeads, headSize } = attention;
    this.#blockBytes = 2 * blocks * keyValueHeads * headSize * BLOCK_TOKENS * Float32Array.BYTES_PER_ELEMENT;
    this.#most = Math.floor(bytes / this.#blockBytes);
  }

  /** Tokens that are kept. */
  get tokens(): number {
    return this.#blocks.size * BLOCK_TOKENS;
  }

  /** @returns the longest beginning of the tokens that is known */
  find(adapter: Adapter | null, tokens: Int32Array): KnownPrefix {
    const parts: { data: Float32Array; tokens: number }[] = [];
    const path: Block[] = [];
    let known = 0;
    let level: ReadonlySet<Block> | undefined = this.#roots.get(adapter);
    while (level) {
      let best: Block | null = null;
      let longest = 0;
      for (const block of level) {
        const alike = countAlike(block.tokens, tokens, known);
        if (alike > longest) [best, longest] = [block, alike];
      }
      if (!best) break;
      path.push(best);
      parts.push({ data: best.data, tokens: longest });
      known += longest;
      level = longest === BLOCK_TOKENS ? best.children : undefined;
    }
    this.#use(path);
    return { tokens: known, parts };
  }

  /**
   * Keeps the beginning of a text, in whole blocks, as far as there is room.
   * @param read - gives keys and values of so many of its tokens from `first` on
   */
  keep(adapter: Adapter | null, tokens: Int32Array, read: (first: number, count: number) => Float32Array): void {
    if (this.#most === 0) return;
    const root = this.#roots.get(adapter) ?? new Set();
    this.#roots.set(adapter, root);
    const path: Block[] = [];
    let level = root;
    let first = 0;
    const next = () => {
      for (const block of level) if (countAlike(block.tokens, tokens, first) === BLOCK_TOKENS) return block;
      return null;
    };
    for (let block = next(); block; block = next()) {
      path.push(block);
      level = block.children;
      first += BLOCK_TOKENS;
    }
    this.#use(path);
    const own = new Set(path);
    for (; first + BLOCK_TOKENS <= tokens.length; first += BLOCK_TOKENS) {
      if (this.#blocks.size >= this.#most && !this.#giveUpOldest(own)) break;
      const text = tokens.slice(first, first + BLOCK_TOKENS);
      const block: Block = { level, tokens: text, data: read(first, BLOCK_TOKENS), children: new Set() };
      level.add(block);
      this.#blocks.add(block);
      own.add(block);
      path.push(block);
      level = block.children;
    }
    this.#use(path);
  }

  /** Forgets what was read with an adapter. */
  forget(adapter: Adapter | null): void {
    const drop = (level: ReadonlySet<Block>) => {
      for (const block of level) {
        this.#blocks.delete(block);
        drop(block.children);
      }
    };
    drop(this.#roots.get(adapter) ?? new Set());
    this.#roots.delete(adapter);
  }

  clear(): void {
    this.#roots.clear();
    this.#blocks.clear();
  }

  /** @param path - blocks, each after what it follows */
  #use(path: readonly Block[]): void {
    for (const block of [...path].reverse()) {
      this.#blocks.delete(block);
      this.#blocks.add(block);
    }
  }

  /** @returns whether there was one that is not spared: nothing follows it, since what does is older */
  #giveUpOldest(spared: ReadonlySet<Block>): boolean {
    const [oldest] = this.#blocks;
    if (spared.has(oldest)) return false;
    oldest.level.delete(oldest);
    this.#blocks.delete(oldest);
    return true;
  }
}

/** How many of a block's tokens a text has at a place. */
function countAlike(block: Int32Array, text: Int32Array, at: number): number {
  let count = 0;
  while (count < block.length && at + count < text.length && block[count] === text[at + count]) count++;
  return count;
}
