import { readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * `npm run bench -- NAME [arguments]`: runs one benchmark, a module of this folder that exports `run(arguments)`, and prints
 * what it returns as one line of JSON, the last line of the output.
 */
const folder = dirname(fileURLToPath(import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts") && file !== "main.ts")
  .map((file) => basename(file, ".ts"));
const [name, ...rest] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`usage: npm run bench -- ${names.join(" | ")}`);
  process.exit(2);
}
const { run } = (await import(`./${name}.ts`)) as { run: (argv: string[]) => Promise<unknown> };
console.log(JSON.stringify({ bench: name, ...((await run(rest)) as object) }));
