import { statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { isInS3 } from "@fedmkt/shared/contracts/location.ts";
import { WEIGHT_FILE, WEIGHT_INDEX } from "@fedmkt/shared/formats/model-files.ts";
import { CHECKOUT } from "./installation.ts";

const MODEL_FILES = ["config.json", "tokenizer.json", WEIGHT_FILE];
const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** A chat template's file may have the template in chat_template.jinja beside it. */
export type LocationKind = "model" | "file" | "chat template";
type Path = readonly PropertyKey[];

/** One place of a spec that names a model's folder or a file. */
interface Location {
  path: Path;
  kind: LocationKind;
}

/** What is wrong with a location, before it has its place in the text. */
export interface LocationMistake {
  path: Path;
  message: string;
}

export interface Surroundings {
  /** where relative locations start */
  specFolder: string;
  /** where a variable's relative path starts: it was set by whoever started the command there */
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** false for a run on this machine; where it may, `s3://` is left to the run */
  mayReadS3: boolean;
  /** whether a location may stand where it does, for a run that is not on this machine */
  judge?: JudgeLocation;
}

/**
 * @param value - the whole spec, right or wrong
 * @returns "here": a path of this machine, or S3; "elsewhere": a place that only another machine knows, kept as it is written;
 *   "anywhere": here where it is there, else elsewhere; "not yet": a path of this machine where nothing need be so far, or S3; or
 *   what is wrong with it
 */
export type JudgeLocation = (
  value: unknown,
  path: Path,
  location: string,
) => "here" | "elsewhere" | "anywhere" | "not yet" | { refusal: string };

/**
 * Puts variables into a spec's locations, makes them absolute and looks whether what they name is there. Takes any value,
 * checked or not, so that these mistakes are told together with all others; a location with a mistake is kept as it is.
 * @param given - the spec under its own names; left as it is
 */
export function resolveLocations(
  given: unknown,
  { specFolder, cwd, env, mayReadS3, judge = () => "here" }: Surroundings,
): { value: unknown; mistakes: LocationMistake[] } {
  const value = structuredClone(given);
  const mistakes: LocationMistake[] = [];
  for (const { path, kind } of findLocations(value)) {
    const refuse = (message: string) => mistakes.push({ path, message: `${nameOwner(value, path)}${message}` });
    const location = readMember(value, path) as string;
    const missing = new Set<string>();
    const text = location.replaceAll(VARIABLE, (whole, name: string, at: number) => {
      const found = readVariable(name, env);
      if (found === null) missing.add(name);
      if (found === null || at > 0 || isInS3(found)) return found ?? whole;
      return resolve(cwd, found);
    });
    for (const name of missing) refuse(`the environment variable ${name} is not set; ${location} needs it`);
    if (missing.size > 0) continue;
    const judged = judge(value, path, text);
    if (judged === "elsewhere") continue;
    if (typeof judged === "object") {
      refuse(judged.refusal);
      continue;
    }
    if (isInS3(text)) {
      if (!mayReadS3) refuse(`expected a path on this machine, got ${text}; a run on this machine reads no S3`);
      setMember(value, path, text);
      continue;
    }
    const absolute = resolve(specFolder, text);
    const problems = judged === "not yet" ? [] : findProblems(absolute, kind);
    if (judged === "anywhere" && problems.length > 0 && !isAbsolute(text)) continue;
    for (const problem of problems) refuse(problem);
    setMember(value, path, absolute);
  }
  return { value, mistakes };
}

/** The spec with each location as the function gives it, one after another; the given one is left as it is. */
export async function replaceLocations(
  given: unknown,
  replace: (location: string, kind: LocationKind) => Promise<string>,
): Promise<unknown> {
  const value = structuredClone(given);
  for (const { path, kind } of findLocations(value))
    setMember(value, path, await replace(readMember(value, path) as string, kind));
  return value;
}

/** Whether a location of a spec that was read is not this machine's: what is here was made absolute. */
export function isElsewhere(location: string): boolean {
  return isInS3(location) || !isAbsolute(location);
}

/** Whether this machine can look into what a spec that was read names there: a model with its weights and tokenizer, a file. */
export function isAtHand(location: string, kind: LocationKind): boolean {
  return !isElsewhere(location) && findProblems(location, kind).length === 0;
}

/** A list's index says little: whose client it is. */
function nameOwner(value: unknown, path: Path): string {
  const id = path[0] === "clients" ? readMember(value, ["clients", path[1], "id"]) : undefined;
  return typeof id === "string" ? `client ${id}: ` : "";
}

/** FEDMKT_MATERIAL is where models and data that do not belong to the project lie: beside the checkout, unless said otherwise. */
function readVariable(name: string, env: Surroundings["env"]): string | null {
  const value = env[name];
  if (value !== undefined && value !== "") return value;
  return name === "FEDMKT_MATERIAL" && CHECKOUT !== null ? resolve(CHECKOUT, "../shared") : null;
}

function findProblems(location: string, kind: LocationKind): string[] {
  if (kind !== "model") return isFile(location) ? [] : [`expected a file, got ${location}, ${describeOther(location)}`];
  if (!isFolder(location)) return [`expected a model's folder, got ${location}, ${describeOther(location)}`];
  const has = (name: string) => isFile(join(location, name));
  const missing = MODEL_FILES.filter((name) => !has(name) && !(name === WEIGHT_FILE && has(WEIGHT_INDEX)));
  return missing.length === 0
    ? []
    : [`expected a model's folder with ${MODEL_FILES.join(", ")}; ${location} has no ${missing.join(", no ")}`];
}

function describeOther(location: string): string {
  return isFolder(location) ? "a folder" : isFile(location) ? "a file" : "which does not exist";
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Every place of the value where a location stands, in the order of the spec; what has another form is the schema's to tell. */
function findLocations(value: unknown): Location[] {
  const indices = (name: string) => {
    const list = readMember(value, [name]);
    return Array.isArray(list) ? [...list.keys()] : [];
  };
  // a data set is its path alone, or a mapping with it
  const data = (path: Path): Location[] => [
    { path, kind: "file" },
    { path: [...path, "path"], kind: "file" },
    { path: [...path, "keepCharactersOf"], kind: "file" },
    { path: [...path, "chatTemplate"], kind: "chat template" },
  ];
  const places: Location[] = [
    { path: ["server", "model"], kind: "model" },
    ...data(["server", "validation"]),
    ...indices("clients").flatMap((index): Location[] => [
      { path: ["clients", index, "model"], kind: "model" },
      ...data(["clients", index, "private"]),
      ...data(["clients", index, "validation"]),
    ]),
    ...indices("public").flatMap((index) => data(["public", index])),
    ...indices("evaluation").flatMap((index) => data(["evaluation", index, "data"])),
  ];
  return places.filter(({ path }) => {
    const found = readMember(value, path);
    return typeof found === "string" && found !== "";
  });
}

export function readMember(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (parent, part) =>
      typeof parent === "object" && parent !== null ? (parent as Record<PropertyKey, unknown>)[part] : undefined,
    value,
  );
}

function setMember(value: unknown, path: Path, member: string): void {
  (readMember(value, path.slice(0, -1)) as Record<PropertyKey, unknown>)[path.at(-1)!] = member;
}
