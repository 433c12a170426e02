import { boundaryMarkOf } from "./boundary-mark.ts";

/** What comparing tokens by their strings needs of a vocabulary (the port's `Vocabulary` fits). */
export interface TokenStrings {
  /** [V] each token's string as tokenizer.json writes it; null for a hole */
  readonly strings: readonly (string | null)[];
}

/** A token's string with every boundary mark replaced; "" for a hole or an id beyond the vocabulary. */
export type SpellToken = (id: number) => string;

/**
 * @param replacement - what stands for a boundary mark, wherever it is in a token; "" strips it
 * @returns a function that spells each token once
 */
export function tokenSpeller({ strings }: TokenStrings, replacement: string): SpellToken {
  const mark = boundaryMarkOf(strings);
  const spelt: (string | undefined)[] = [];
  return (id) => {
    let known = spelt[id];
    if (known === undefined) {
      known = strings[id] ?? "";
      if (mark !== "") known = known.replaceAll(mark, replacement);
      spelt[id] = known;
    }
    return known;
  };
}
