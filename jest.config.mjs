export default {
  testEnvironment: "./test/support/host-arrays-environment.mjs",
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2024", parser: { syntax: "typescript" } }, module: { type: "es6" } },
    ],
  },
  testMatch: ["<rootDir>/test/**/*.test.ts"],
  // against emulators of AWS: jest.integration.config.mjs
  testPathIgnorePatterns: ["/node_modules/", "<rootDir>/test/aws/"],
  modulePathIgnorePatterns: ["cdk.out", "<rootDir>/runs", "<rootDir>/.cache", "<rootDir>/.build", "<rootDir>/cli/dist"],
  maxWorkers: 2,
  testTimeout: 60_000,
};
