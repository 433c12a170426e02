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
  // A worker that has nothing open any more still needs seconds to end: what hundreds of files have loaded, two gigabytes by then, is
  // freed first. By itself Jest waits for half a second, and then says that a test leaks.
  workerGracefulExitTimeout: 20_000,
};
