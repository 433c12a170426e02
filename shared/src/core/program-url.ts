/** Whether a module, known by its `import.meta.url`, runs in the bundled package; else it runs in the checkout, as TypeScript. */
export function isBundled(moduleUrl: string): boolean {
  return !moduleUrl.endsWith(".ts");
}

/**
 * Where a program of ours lies that is started as a thread or process of its own. In the checkout that is its TypeScript file. In the
 * bundled package each program is one JavaScript file, and all lie in one folder with the code that they share: Node runs no
 * TypeScript below node_modules.
 *
 * @param program - its name in the package, as scripts/package-cli.ts lists it
 * @param source - its file, relative to the module that asks
 * @param moduleUrl - `import.meta.url` of the module that asks
 * @example programUrl("engine-thread", "./worker.ts", "file:///a/engine-thread.ts").href // "file:///a/worker.ts"
 */
export function programUrl(program: string, source: string, moduleUrl: string): URL {
  return new URL(isBundled(moduleUrl) ? `./${program}.js` : source, moduleUrl);
}
