/**
 * Runs the tests of core/ in one process without Jest, and ends with 1 at the first that fails. `npm run mutate` does so for each of
 * thousands of mutants, and Jest takes longer to begin than most of these tests take.
 */
import { globSync } from "node:fs";
import { registerHooks } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { format } from "node:util";
import { expect } from "expect";
import fc from "fast-check";
import config from "../../jest.core.config.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const globals = "data:text/javascript,export const { afterAll, describe, expect, it } = globalThis";
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "@jest/globals") return { url: globals, shortCircuit: true };
    // by its name the package would be the one that node_modules links to, which is not mutated
    const own = specifier.match(/^@fedmkt\/shared\/(.+)$/);
    return next(own === null ? specifier : pathToFileURL(path.join(root, "shared/src", own[1])).href, context);
  },
});

const tests = [];
const last = [];
const it = (name, body) => tests.push([name, body]);
const each = (take) => (rows) => (name, body) => {
  for (const row of rows) {
    const values = Array.isArray(row) ? row : [row];
    take(format(name, ...values), () => body(...values));
  }
};
it.each = each(it);
it.skip = () => {};
const describe = (_, body) => body();
describe.each = each(describe);
Object.assign(globalThis, { afterAll: (body) => last.push(body), describe, expect, it });

// Always by the same cases, and not for long.
fc.configureGlobal({ seed: 1, interruptAfterTimeLimit: 500 });
// Where none is named, every mutant's place reads the environment each time that it is run.
process.env.__STRYKER_ACTIVE_MUTANT__ ??= "none";

const files = globSync(config.testMatch.map((pattern) => pattern.replace("<rootDir>", root)));
if (files.length === 0) throw new Error(`expected tests, found none: ${config.testMatch.join(", ")}`);
for (const file of files.sort()) await import(pathToFileURL(file).href);
try {
  for (const [name, body] of tests) {
    try {
      await body();
    } catch (error) {
      throw new Error(name, { cause: error });
    }
  }
} finally {
  for (const body of last) await body();
}
console.log(`${tests.length} tests`);
