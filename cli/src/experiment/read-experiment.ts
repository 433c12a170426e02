import { readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { applyAliases } from "@fedmkt/shared/contracts/apply-aliases.ts";
import { type Cell, cellsOf, RUN_FACTOR } from "@fedmkt/shared/contracts/experiment-cells.ts";
import type { ExperimentFile } from "@fedmkt/shared/contracts/experiment-file.ts";
import { CLIENTS } from "@fedmkt/shared/contracts/experiment-results.ts";
import { isInS3 } from "@fedmkt/shared/contracts/location.ts";
import { type FigurePlace, figurePlace } from "@fedmkt/shared/contracts/published-figure.ts";
import { type ExaminedExperiment, examineExperimentFile } from "@fedmkt/shared/contracts/read-experiment-file.ts";
import { examineSpecValue } from "@fedmkt/shared/contracts/read-run-spec.ts";
import { type RunSpec, runSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import { InvalidSpecError, type SpecMistake, writePath } from "@fedmkt/shared/contracts/spec-mistake.ts";
import { score } from "@fedmkt/shared/contracts/summary.ts";
import { MAX_SPEC_BYTES, parseYaml } from "@fedmkt/shared/contracts/yaml-text.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { Io } from "../io.ts";
import { isMappingWith, type SpecPlace } from "../read-spec-file.ts";
import { replaceLocations, resolveLocations } from "../spec-locations.ts";
import { fillVariables } from "./fill-variables.ts";
import { mergeSpecs, partAt } from "./merge-specs.ts";
import { nameRuns } from "./name-runs.ts";

/** What the parts of a published figure's name are. */
const FIGURE_WORDS = { baseline: "baseline", party: "party", set: "held-out set", metric: "metric" } as const;

/** In locations it stands for the run's seed. */
const SEED_VARIABLE = /\$\{SEED\}/g;

type Path = readonly PropertyKey[];

/** One run of an experiment: its cell with one seed, as a checked spec with absolute locations and all of its baselines. */
export interface ExperimentRun {
  cell: Cell;
  seed: number;
  spec: RunSpec;
}

/** An experiment whose every run's spec is right. */
export interface Experiment {
  /** its models are small random ones, its data a few samples */
  isDryRun: boolean;
  file: ExperimentFile;
  /** the file as it is written */
  text: string;
  cells: Cell[];
  /** seed by seed, so that what is broken off has whole seeds; within one in the order of the cells */
  runs: ExperimentRun[];
}

/** Some keys of a spec, and where they are written. */
interface SpecPart {
  /** under the spec's own names */
  value: unknown;
  /** mistakes of its names alone */
  mistakes: SpecMistake[];
  /** where relative locations start */
  folder: string;
  placeOf(path: Path): { path: string; line: number | null };
}

/**
 * Reads an experiment's file and the spec that it starts from, puts every cell's spec together and checks each as `fedmkt run` would.
 *
 * @param placeOf - where a cell of this name is to be run
 * @throws InvalidInputError `SPEC_MISSING`; InvalidSpecError with every mistake of the file and of all specs
 */
export async function readExperiment(
  path: string,
  io: Pick<Io, "cwd" | "env">,
  placeOf: (cell: string) => SpecPlace,
): Promise<Experiment> {
  const at = resolve(io.cwd, path);
  const text = readText(at, path, "an experiment's file");
  const examined = examineExperimentFile(text);
  if (isMappingWith(examined.value, ["rounds", "clients"]) && !isMappingWith(examined.value, ["base"]))
    throw new InvalidInputError(
      "SPEC_INVALID",
      `${path}: expected an experiment's file, got a run's spec; fedmkt run runs it, and an experiment names it as its base`,
    );
  // without the file's own form there are no cells to speak of
  if (examined.file === null) throw new InvalidSpecError(path, examined.mistakes);
  const { file } = examined;
  const base = readBase(file, examined, at);
  if (base.value === undefined) throw new InvalidSpecError(path, base.mistakes);
  const cells = cellsOf(file);
  const names = nameRuns(file.name, cells, file.seeds);
  const mistakes = new MistakesOfCells(cells.length);
  const runs: ExperimentRun[] = [];
  for (const seed of file.seeds) {
    const located = new Map<string, SpecPart>();
    const ofSeed = async (key: string, make: () => SpecPart) => {
      if (!located.has(key)) located.set(key, await locate(make(), seed));
      return located.get(key)!;
    };
    for (const cell of cells) {
      const parts = [await ofSeed("", () => base)];
      for (const [factor, level] of Object.entries(cell.levels))
        parts.push(await ofSeed(`${factor}/${level}`, () => inFile(examined, levelPath(factor, level), dirname(at))));
      const checked = checkCell(parts, { name: names.get(cell.name)!.get(seed)!, seed }, io, placeOf(cell.name));
      mistakes.take(cell, checked.mistakes);
      if (checked.spec !== null) runs.push({ cell, seed, spec: checked.spec });
    }
  }
  const found = [...mistakes.list(), ...findUnknownFigures(runs, examined)];
  if (found.length > 0) throw new InvalidSpecError(path, found);
  return { isDryRun: false, file, text, cells, runs };
}

function readText(at: string, shown: string, what: string): string {
  const stats = statSync(at, { throwIfNoEntry: false });
  if (!stats?.isFile())
    throw new InvalidInputError("SPEC_MISSING", `${shown}: expected ${what}, there is no such file`);
  if (stats.size > MAX_SPEC_BYTES)
    throw new InvalidInputError(
      "SPEC_INVALID",
      `${shown}: expected at most ${MAX_SPEC_BYTES} bytes, got ${stats.size}`,
    );
  return readFileSync(at, "utf8");
}

/** The spec that all cells start from; its value is undefined where it is no YAML. */
function readBase({ base }: ExperimentFile, examined: ExaminedExperiment, at: string): SpecPart {
  if (typeof base !== "string") return inFile(examined, ["base"], dirname(at));
  const file = resolve(dirname(at), base);
  const yaml = parseYaml(readText(file, base, "the spec that the experiment starts from"));
  const place = (path: string, inside: number | null) => ({
    path: ["base", base, inside === null ? "" : `line ${inside}`, path].filter(Boolean).join(", "),
    line: examined.lineOf(["base"]),
  });
  if (Array.isArray(yaml)) {
    const mistakes = yaml.map(({ path, line, message }) => ({ ...place(path, line), message }));
    return { value: undefined, mistakes, folder: dirname(file), placeOf: () => place("", null) };
  }
  return partOf(yaml.value, dirname(file), (written) => place(writePath(written), yaml.lineOf(written)));
}

/** A part that stands in the experiment's file itself. */
function inFile(examined: ExaminedExperiment, at: Path, folder: string): SpecPart {
  const given = at.reduce<unknown>((value, step) => (value as Record<PropertyKey, unknown>)[step], examined.value);
  return partOf(given, folder, (written) => {
    const path = [...at, ...written];
    return { path: writePath(path), line: examined.lineOf(path) };
  });
}

/** @param place - where a path of the value as it is written stands */
function partOf(given: unknown, folder: string, place: (written: Path) => Omit<SpecMistake, "message">): SpecPart {
  const { value, issues, writtenAs } = applyAliases(given);
  const mistakes = issues.map(({ path, message }) => ({ ...place(path), message }));
  return { value, mistakes, folder, placeOf: (path) => place(writtenAs(path)) };
}

function levelPath(factor: string, level: string): Path {
  return factor === RUN_FACTOR ? ["runs", level] : ["factors", factor, level];
}

/** The part for one seed, with locations that no longer depend on where it is written. */
async function locate(part: SpecPart, seed: number): Promise<SpecPart> {
  const value = await replaceLocations(part.value, async (location) => {
    const text = location.replaceAll(SEED_VARIABLE, String(seed));
    return isInS3(text) || isAbsolute(text) || text.startsWith("$") ? text : join(part.folder, text);
  });
  return { ...part, value };
}

function checkCell(
  parts: readonly SpecPart[],
  own: { name: string; seed: number },
  io: Pick<Io, "cwd" | "env">,
  { mayReadS3, judge, findMistakes = () => [] }: SpecPlace,
): { spec: RunSpec | null; mistakes: SpecMistake[] } {
  const values = parts.map(({ value }) => value);
  const filled = fillVariables(mergeSpecs([...values, own]));
  const merged = filled.value;
  const issues = [...filled.issues, ...examineSpecValue(merged).issues];
  const surroundings = { specFolder: parts[0].folder, cwd: io.cwd, env: io.env, mayReadS3, judge };
  const resolved = resolveLocations(merged, surroundings);
  const placed = [...issues, ...resolved.mistakes, ...findMistakes(merged)].map(({ path, message }) => ({
    ...parts[partAt(values, path)].placeOf(path),
    message,
  }));
  const mistakes = [...parts.flatMap((part) => part.mistakes), ...placed];
  if (mistakes.length > 0) return { spec: null, mistakes };
  const { $schema: _, ...spec } = runSpec.parse(resolved.value);
  return { spec, mistakes };
}

/** Figures of others that no run of their cell could stand beside. */
function findUnknownFigures(runs: readonly ExperimentRun[], { file, lineOf }: ExaminedExperiment): SpecMistake[] {
  return Object.entries(file!.published).flatMap(([cell, figures]) => {
    const spec = runs.find((run) => run.cell.name === cell)?.spec;
    if (spec === undefined) return [];
    const known: Record<keyof FigurePlace, readonly string[]> = {
      // every run scores its parties before the first round
      baseline: [...new Set(["zero-shot", ...spec.baselines])],
      party: [CLIENTS, "server", ...spec.clients.map(({ id }) => id)],
      set: spec.evaluation.map(({ name }) => name),
      metric: score.shape.metric.options,
    };
    return Object.keys(figures).flatMap((figure) => {
      const path = ["published", cell, figure];
      const place = figurePlace(figure)!;
      return (Object.keys(known) as (keyof FigurePlace)[]).flatMap((part) => {
        const word = place[part];
        if (word === null || known[part].includes(word)) return [];
        const message = `${JSON.stringify(word)} is no ${FIGURE_WORDS[part]} of the cell; there are ${known[part].join(", ") || "none"}`;
        return [{ path: writePath(path), line: lineOf(path), message }];
      });
    });
  });
}

/** Mistakes of many cells, each told once; which cells have it, where not all do. */
class MistakesOfCells {
  readonly #found = new Map<string, { mistake: SpecMistake; cells: Set<string> }>();
  readonly #cells: number;

  constructor(cells: number) {
    this.#cells = cells;
  }

  take({ name }: Cell, mistakes: readonly SpecMistake[]): void {
    for (const mistake of mistakes) {
      const key = JSON.stringify(mistake);
      const known = this.#found.get(key) ?? { mistake, cells: new Set<string>() };
      this.#found.set(key, known);
      known.cells.add(name);
    }
  }

  list(): SpecMistake[] {
    return [...this.#found.values()]
      .map(({ mistake, cells }) => {
        if (cells.size === this.#cells) return mistake;
        const more = cells.size > 1 ? ` and ${cells.size - 1} more` : "";
        return { ...mistake, message: `${mistake.message} (cell ${[...cells][0]}${more})` };
      })
      .sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  }
}
