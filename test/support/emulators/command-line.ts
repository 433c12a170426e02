import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Emulator, environmentOf } from "./emulator.ts";

const LAUNCHER = fileURLToPath(new URL("../../../cli/bin/fedmkt.mjs", import.meta.url));

/** The `fedmkt` command as the account's owner uses it: an endpoint, credentials and an authority in the environment, no more. */
export interface CommandLine {
  /** where it is started, and where it writes */
  folder: string;
  /** @returns what `--json` answers. @throws Error with what it wrote where it failed */
  run<T>(...commandArguments: string[]): Promise<T>;
}

export function commandLine(emulator: Emulator, folder: string): CommandLine {
  mkdirSync(folder, { recursive: true });
  return {
    folder,
    run: (...commandArguments) =>
      new Promise((resolve, reject) => {
        execFile(
          process.execPath,
          [LAUNCHER, ...commandArguments, "--json"],
          { cwd: folder, env: environmentOf(emulator, emulator.owner, folder), maxBuffer: 1 << 26 },
          (error, stdout, stderr) =>
            error === null
              ? resolve(JSON.parse(stdout).data)
              : reject(new Error(`fedmkt ${commandArguments.join(" ")}:\n${stdout}\n${stderr}`)),
        );
      }),
  };
}
