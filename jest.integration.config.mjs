import unitConfig from "./jest.config.mjs";

const { maxWorkers, testTimeout, workerGracefulExitTimeout, testPathIgnorePatterns, ...shared } = unitConfig;

/** The tests against an emulator of AWS, the same for each. */
export const onEmulators = (...emulators) => ({
  projects: emulators.map((emulator) => ({
    ...shared,
    displayName: emulator,
    testMatch: ["<rootDir>/test/aws/**/*.test.ts"],
    globals: { EMULATOR: emulator },
  })),
  maxWorkers,
  testTimeout,
  workerGracefulExitTimeout,
});

export default onEmulators("ministack", "ministack-with-iam");
