import type { Emulator, EmulatorName } from "./emulator.ts";
import { localstackLacks, runningLocalstack, startLocalstack } from "./localstack.ts";
import { startMinistack } from "./ministack.ts";

/** Names a LocalStack that runs already. */
const ENDPOINT = "AWS_ENDPOINT_URL";

/** Why this emulator's tests cannot run here; null where they can. */
export function emulatorLacks(name: EmulatorName): string | null {
  return name === "localstack" && process.env[ENDPOINT] === undefined ? localstackLacks() : null;
}

/** Starts an emulator, or takes the LocalStack that `AWS_ENDPOINT_URL` names. */
export async function startEmulator(
  name: EmulatorName,
  options: { folder: string; account: string },
): Promise<Emulator> {
  if (name !== "localstack") return startMinistack({ ...options, withIam: name === "ministack-with-iam" });
  const endpoint = process.env[ENDPOINT];
  return endpoint === undefined ? startLocalstack(options) : runningLocalstack({ endpoint, account: options.account });
}
