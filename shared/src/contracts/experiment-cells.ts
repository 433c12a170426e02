type Mapping = Record<string, unknown>;

/** More runs than this are a typing error: even of a second each they would take a day. */
export const MAX_RUNS = 100_000;

/** What named runs are as a factor. */
export const RUN_FACTOR = "run";

/** One cell of an experiment: a level of each factor. Its seeds share it. */
export interface Cell {
  /** its levels in the factors' order, joined by `/` */
  name: string;
  /** factor → level */
  levels: Record<string, string>;
}

/** The factors and named runs of an experiment's file. */
export interface Grid {
  name: string;
  factors: Record<string, Mapping>;
  runs: Mapping;
  exclude: readonly Record<string, string>[];
}

/** Every factor with the names of its levels, named runs as the last of them. */
export function factorLevels({ factors, runs }: Pick<Grid, "factors" | "runs">): Map<string, string[]> {
  const found = new Map(Object.entries(factors).map(([factor, levels]) => [factor, Object.keys(levels)]));
  if (Object.keys(runs).length > 0) found.set(RUN_FACTOR, Object.keys(runs));
  return found;
}

/** The cells of a grid, the first factor's levels slowest; one cell of the experiment's own name where nothing varies. */
export function cellsOf(grid: Grid): Cell[] {
  let combinations: Record<string, string>[] = [{}];
  for (const [factor, levels] of factorLevels(grid))
    combinations = combinations.flatMap((combination) => levels.map((level) => ({ ...combination, [factor]: level })));
  const isExcluded = (levels: Record<string, string>) =>
    grid.exclude.some((left) => Object.entries(left).every(([factor, level]) => levels[factor] === level));
  return combinations
    .filter((levels) => !isExcluded(levels))
    .map((levels) => ({ name: Object.values(levels).join("/") || grid.name, levels }));
}

/** How many cells the grid has before any is left out: cheap, whatever the grid. */
export function gridSize(grid: Pick<Grid, "factors" | "runs">): number {
  return [...factorLevels(grid).values()].reduce((product, levels) => product * levels.length, 1);
}
