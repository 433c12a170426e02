import type { Cell } from "@fedmkt/shared/contracts/experiment-cells.ts";
import { sha256 } from "@fedmkt/shared/formats/sha256.ts";

/** Runs' names are at most this long, since they become parts of jobs' names. */
const LONGEST_NAME = 40;
const HASH_CHARACTERS = 8;

/**
 * A name for every run: the experiment, its cell's levels and the seed, as far as a run's name may say them; with the beginning of
 * a hash where it is too long, or another run's too.
 * @returns cell → seed → name
 */
export function nameRuns(
  experiment: string,
  cells: readonly Cell[],
  seeds: readonly number[],
): Map<string, Map<number, string>> {
  const plain = new Map(cells.map(({ name }) => [name, plainName(experiment, name)]));
  const taken = new Map<string, number>();
  for (const name of plain.values()) taken.set(name, (taken.get(name) ?? 0) + 1);
  const nameOf = (cell: string, seed: number) => {
    const name = plain.get(cell)!;
    const full = `${name}-${seed}`;
    if (full.length <= LONGEST_NAME && taken.get(name) === 1) return full;
    const end = `-${sha256(new TextEncoder().encode(`${experiment}/${cell}`)).slice(0, HASH_CHARACTERS)}-${seed}`;
    return `${name.slice(0, LONGEST_NAME - end.length).replace(/-+$/, "")}${end}`;
  };
  return new Map(cells.map(({ name }) => [name, new Map(seeds.map((seed) => [seed, nameOf(name, seed)]))]));
}

function plainName(experiment: string, cell: string): string {
  const words = cell === experiment ? [experiment] : [experiment, cell];
  return words
    .join("-")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/-+$/, "");
}
