import type { EmulatorName } from "../support/emulators/emulator.ts";

/** The emulator that jest's configuration names for this project. */
export function emulatorUnderTest(): EmulatorName {
  return (globalThis as unknown as { EMULATOR: EmulatorName }).EMULATOR;
}
