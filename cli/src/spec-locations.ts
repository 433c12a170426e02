import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { DataSpec, RunSpec } from "@fedmkt/shared/contracts/run-spec.ts";
import type { SpecMistake } from "@fedmkt/shared/contracts/spec-mistake.ts";

/** The project's own folder: cli/src/ lies two below. */
const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
const MODEL_FILES = ["config.json", "tokenizer.json", "model.safetensors"];
const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

type Kind = "model" | "file";
/** What becomes of one location; mistakes are collected, the location is then kept as it is. */
type Change = (location: string, path: string, kind: Kind) => string;

/**
 * Puts variables into a spec's locations, makes them absolute (relative ones start at the spec's folder) and looks whether
 * what they name is there. `s3://` locations are left to the run, which can read them.
 */
export function resolveLocations(
  spec: RunSpec,
  specFolder: string,
  env: Readonly<Record<string, string | undefined>>,
): { spec: RunSpec; mistakes: SpecMistake[] } {
  const mistakes: SpecMistake[] = [];
  const refuse = (path: string, message: string) =>
    mistakes.push({ path, line: null, message: `${nameOwner(spec, path)}${message}` });
  const resolved = mapLocations(spec, (location, path, kind) => {
    const missing = new Set<string>();
    const text = location.replaceAll(VARIABLE, (whole, name: string) => {
      const value = readVariable(name, env);
      if (value === null) missing.add(name);
      return value ?? whole;
    });
    for (const name of missing) refuse(path, `the environment variable ${name} is not set; ${location} needs it`);
    if (missing.size > 0 || text.startsWith("s3://")) return text;
    const absolute = resolve(specFolder, text);
    for (const problem of findProblems(absolute, kind)) refuse(path, problem);
    return absolute;
  });
  return { spec: resolved, mistakes };
}

/** A list's index says little: whose client it is. */
function nameOwner(spec: RunSpec, path: string): string {
  const index = path.match(/^clients\[(\d+)\]/)?.[1];
  return index === undefined ? "" : `client ${spec.clients[Number(index)].id}: `;
}

/** FEDMKT_MATERIAL is where models and data that do not belong to the project lie: beside it, unless said otherwise. */
function readVariable(name: string, env: Readonly<Record<string, string | undefined>>): string | null {
  const value = env[name];
  if (value !== undefined && value !== "") return value;
  return name === "FEDMKT_MATERIAL" ? resolve(REPOSITORY, "../shared") : null;
}

function findProblems(location: string, kind: Kind): string[] {
  if (kind === "file") return isFile(location) ? [] : [`expected a file, got ${location}, ${describeOther(location)}`];
  if (!isFolder(location)) return [`expected a model's folder, got ${location}, ${describeOther(location)}`];
  const missing = MODEL_FILES.filter((name) => !isFile(join(location, name)));
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

function mapLocations(spec: RunSpec, change: Change): RunSpec {
  const data = (set: DataSpec, path: string): DataSpec => ({
    ...set,
    path: change(set.path, `${path}.path`, "file"),
    ...("keepCharactersOf" in set && set.keepCharactersOf !== undefined
      ? { keepCharactersOf: change(set.keepCharactersOf, `${path}.keepCharactersOf`, "file") }
      : {}),
  });
  return {
    ...spec,
    server: { ...spec.server, model: change(spec.server.model, "server.model", "model") },
    clients: spec.clients.map((client, index) => ({
      ...client,
      model: change(client.model, `clients[${index}].model`, "model"),
      private: data(client.private, `clients[${index}].private`),
    })),
    public: spec.public.map((set, index) => data(set, `public[${index}]`)),
    evaluation: spec.evaluation.map((set, index) => ({ ...set, data: data(set.data, `evaluation[${index}].data`) })),
  };
}
