import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Newest last; the names that a system or a version manager gives. */
const MINOR_VERSIONS = [11, 12, 13];

export interface Python {
  program: string;
  minor: number;
}

/**
 * The oldest Python 3 that is at least this new and can make virtual environments, on the PATH or among pyenv's; null where there is none.
 * @param minimum - the minor version: 11 for Python 3.11
 */
export function findPython(minimum: number): Python | null {
  const versions = MINOR_VERSIONS.filter((minor) => minor >= minimum);
  const named = versions.flatMap((minor) => [`python3.${minor}`, ...pyenvPrograms(minor)]);
  for (const program of [...named, "python3"]) {
    const minor = minorOf(program);
    if (minor !== null && minor >= minimum) return { program, minor };
  }
  return null;
}

function pyenvPrograms(minor: number): string[] {
  const folder = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((version) => version.startsWith(`3.${minor}.`))
    .map((version) => join(folder, version, "bin", "python3"));
}

/** null where the program is missing, is no Python 3 or lacks venv: a version manager's shim may name what is not there */
function minorOf(program: string): number | null {
  try {
    const says = execFileSync(
      program,
      ["-c", "import sys, venv, ensurepip; print(sys.version_info.major, sys.version_info.minor)"],
      { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
    );
    const [major, minor] = says.trim().split(" ").map(Number);
    return major === 3 ? minor : null;
  } catch {
    return null;
  }
}
