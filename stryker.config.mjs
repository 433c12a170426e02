/**
 * `FEDMKT_CORE_TESTS=FILE,FILE npm run mutate -- GLOB` changes the files of core/, one place at a time, and tells which changes none
 * of these tests notices; without the tests' names it asks all of core/'s, which takes long. (Stryker's own `--testFiles` asks none
 * about the mutants of constants.) What survived for a reason is in docs/mutation.md.
 */
export default {
  testRunner: "jest",
  plugins: ["@stryker-mutator/jest-runner"],
  jest: {
    configFile: "jest.core.config.mjs",
    config: { setupFiles: ["<rootDir>/test/support/short-properties.mjs"] },
    enableFindRelatedTests: true,
  },
  // the last, so that a loop which never ends but fills memory is found out soon
  testRunnerNodeArgs: [
    "--experimental-vm-modules",
    "--no-warnings",
    "--no-memory-protection-keys",
    "--max-old-space-size=1024",
  ],
  coverageAnalysis: "perTest",
  concurrency: 1,
  timeoutMS: 3_000,
  tempDirName: ".cache/mutation",
  ignorePatterns: ["/runs", "/cdk.out", "/docs", "/events", "/examples", "/bench", "/.build", "/.cache", "/cli/dist"],
  // none: the runner would rewrite it by TypeScript's JavaScript interface, which TypeScript 7 has not
  tsconfigFile: "none",
  clearTextReporter: { reportTests: false },
  reporters: ["clear-text", "progress-append-only", "json"],
  jsonReporter: { fileName: ".cache/mutation.json" },
};
