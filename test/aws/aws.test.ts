import { afterAll, beforeAll, describe } from "@jest/globals";
import { type Cloud, startCloud } from "../support/emulators/cloud.ts";
import { emulatorLacks } from "../support/emulators/start-emulator.ts";
import { emulatorUnderTest } from "./emulator-under-test.ts";
import { testFederation } from "./federation.ts";
import { testInterruption } from "./interruption.ts";
import { testPermissions } from "./permissions.ts";
import { testRemoval } from "./removal.ts";

const MINUTES = 60_000;
const emulator = emulatorUnderTest();
const lacks = emulatorLacks(emulator);

/** All stacks deployed once, then everything that is to be seen of them, and in the end their removal: the order matters. */
(lacks === null ? describe : describe.skip)(`a deployment on ${emulator}${lacks === null ? "" : `: ${lacks}`}`, () => {
  let cloud: Cloud;

  beforeAll(async () => {
    cloud = await startCloud(emulator, 5 * MINUTES);
  }, 12 * MINUTES);
  afterAll(() => cloud?.stop(), MINUTES);

  describe("a federation of four clients, two of them at sites of their own", () => testFederation(() => cloud));
  if (emulator === "ministack-with-iam") describe("the policies", () => testPermissions(() => cloud));
  describe("a run that is interrupted", () => testInterruption(() => cloud));
  describe("what is taken away", () => testRemoval(() => cloud));
});
