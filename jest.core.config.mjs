import unitConfig from "./jest.config.mjs";

const files = process.env.FEDMKT_CORE_TESTS?.split(",") ?? [
  "test/{unit,property}/{core,samples}/**/*.test.ts",
  "test/golden/{core,evaluation}/**/*.test.ts",
];

/**
 * The tests of core/ alone: `npm run coverage:core` holds them to every branch, `npm run mutate` to every mutant.
 *
 * Branches are counted by istanbul, not by V8: V8 has no branch for an `if` whose condition always holds.
 */
export default {
  ...unitConfig,
  testMatch: files.map((file) => `<rootDir>/${file}`),
  setupFiles: ["<rootDir>/test/support/same-cases.mjs"],
  coverageProvider: "babel",
  collectCoverageFrom: ["shared/src/core/**/*.ts"],
  coverageDirectory: ".cache/coverage",
  coverageReporters: [["text", { skipFull: true }], "text-summary", "json"],
  coverageThreshold: { global: { branches: 100, functions: 100, lines: 100, statements: 100 } },
};
