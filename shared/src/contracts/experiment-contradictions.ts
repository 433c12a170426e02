import { closestName } from "./closest-name.ts";
import { cellsOf, factorLevels, type Grid, gridSize, MAX_RUNS, RUN_FACTOR } from "./experiment-cells.ts";
import { figurePlace } from "./published-figure.ts";
import { BASELINES } from "./run-spec.ts";
import type { SpecIssue } from "./spec-issues.ts";

/** Names of levels become parts of cells' names and folders' paths; `/` stands between them. */
const LEVEL_NAME = /^[A-Za-z0-9][A-Za-z0-9.+_=-]{0,62}$/;
const LEVEL_WORDS = "letters, digits and . + _ = -, starting with a letter or digit, at most 63";
/** Names more than this are not repeated in a message. */
const NAMES_LISTED = 12;

type Mapping = Record<string, unknown>;

/**
 * What a schema cannot say of an experiment's file: factors, levels and cells that do not exist. Takes any value, checked or not,
 * so that these mistakes are told together with all others.
 */
export function findExperimentContradictions(file: unknown): SpecIssue[] {
  const top = mapping(file);
  const grid: Grid = {
    name: String(top.name),
    factors: Object.fromEntries(Object.entries(mapping(top.factors)).map(([name, levels]) => [name, mapping(levels)])),
    runs: mapping(top.runs),
    exclude: list(top.exclude).map((one) =>
      Object.fromEntries(Object.entries(mapping(one)).map(([factor, level]) => [factor, String(level)])),
    ),
  };
  const seeds = list(top.seeds);
  const issues = [...findNameIssues(grid), ...findExclusionIssues(grid)];
  seeds.forEach((seed, index) => {
    if (seeds.indexOf(seed) < index)
      issues.push({ path: ["seeds", index], message: `the seed ${seed} is given twice` });
  });
  const runs = gridSize(grid) * Math.max(1, seeds.length);
  if (runs > MAX_RUNS)
    return [...issues, { path: ["factors"], message: `expected at most ${MAX_RUNS} runs, got ${runs}` }];
  const cells = cellsOf(grid).map(({ name }) => name);
  if (cells.length === 0 && gridSize(grid) > 0)
    issues.push({ path: ["exclude"], message: "leaves no cell; expected at least one" });
  // without any cell each name of one would be a mistake too, and say nothing
  return cells.length === 0 ? issues : [...issues, ...findCellIssues(top, cells)];
}

function findNameIssues(grid: Grid): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const check = (name: string, path: PropertyKey[]) => {
    if (!LEVEL_NAME.test(name))
      issues.push({ path, message: `expected a name of ${LEVEL_WORDS}, got ${JSON.stringify(name)}` });
  };
  for (const [factor, levels] of Object.entries(grid.factors)) {
    check(factor, ["factors", factor]);
    if (factor === RUN_FACTOR)
      issues.push({
        path: ["factors", factor],
        message: `${RUN_FACTOR} is what named runs are called; expected another name`,
      });
    if (Object.keys(levels).length === 0)
      issues.push({ path: ["factors", factor], message: "has no level; expected at least one" });
    for (const level of Object.keys(levels)) check(level, ["factors", factor, level]);
  }
  for (const run of Object.keys(grid.runs)) check(run, ["runs", run]);
  return issues;
}

function findExclusionIssues(grid: Grid): SpecIssue[] {
  const known = factorLevels(grid);
  return grid.exclude.flatMap((left, index) => {
    if (Object.keys(left).length === 0)
      return [{ path: ["exclude", index], message: "names no level, and so leaves out every cell" }];
    return Object.entries(left).flatMap(([factor, level]): SpecIssue[] => {
      const path = ["exclude", index, factor];
      const levels = known.get(factor);
      if (levels === undefined)
        return [{ path, message: `there is no factor ${factor}; ${suggest(factor, [...known.keys()])}` }];
      if (levels.includes(level)) return [];
      return [{ path, message: `${factor} has no level ${JSON.stringify(level)}; ${suggest(level, levels)}` }];
    });
  });
}

function findCellIssues(top: Mapping, cells: readonly string[]): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const check = (name: unknown, known: readonly string[], what: string, path: PropertyKey[]) => {
    if (typeof name === "string" && !known.includes(name))
      issues.push({ path, message: `there is no ${what} ${JSON.stringify(name)}; ${suggest(name, known)}` });
  };
  for (const [cell, figures] of Object.entries(mapping(top.published))) {
    check(cell, cells, "cell", ["published", cell]);
    for (const figure of Object.keys(mapping(figures)))
      if (figurePlace(figure) === null)
        issues.push({
          path: ["published", cell, figure],
          message:
            "expected party/set/metric, such as server/test/accuracy, or a baseline's, such as zero-shot/server/test/accuracy",
        });
  }
  list(top.compare).forEach((pair, index) => {
    const [cell, against] = [mapping(pair).cell, mapping(pair).against].map((name) =>
      typeof name === "number" ? String(name) : name,
    );
    check(cell, cells, "cell", ["compare", index, "cell"]);
    check(against, [...cells, ...BASELINES], "cell or baseline", ["compare", index, "against"]);
    if (typeof cell === "string" && cell === against)
      issues.push({ path: ["compare", index], message: "compares a cell with itself" });
  });
  return issues;
}

function suggest(name: string, known: readonly string[]): string {
  const close = closestName(name, known);
  if (close !== null) return `did you mean ${close}?`;
  const more = known.length > NAMES_LISTED ? ` and ${known.length - NAMES_LISTED} more` : "";
  return `there are ${known.slice(0, NAMES_LISTED).join(", ") || "none"}${more}`;
}

function mapping(value: unknown): Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Mapping) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
