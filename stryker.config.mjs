/**
 * `FEDMKT_CORE_TESTS=FILE,FILE npm run mutate -- GLOB` changes the files of core/, one place at a time, and tells which changes none
 * of these tests notices; without the tests' names it asks all of core/'s, which takes long. What survived for a reason is in
 * docs/mutation.md.
 */
export default {
  testRunner: "command",
  // limited, so that a loop which never ends but fills memory is found out soon
  commandRunner: { command: "node --no-warnings --max-old-space-size=1024 test/support/plain-tests.mjs" },
  concurrency: 1,
  timeoutMS: 3_000,
  tempDirName: ".cache/mutation",
  ignorePatterns: ["/runs", "/cdk.out", "/docs", "/events", "/examples", "/bench", "/.build", "/.cache", "/cli/dist"],
  // none: it would be rewritten by TypeScript's JavaScript interface, which TypeScript 7 has not
  tsconfigFile: "none",
  reporters: ["clear-text", "progress-append-only", "json"],
  jsonReporter: { fileName: ".cache/mutation.json" },
};
