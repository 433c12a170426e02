import { FedmktError } from "../../core/errors.ts";
import type { NameTable } from "./name-table.ts";
import type { RegistryLog } from "./refusals.ts";

export interface KeepLoaded {
  names: NameTable;
  everyMs: number;
  /** resolves after the time, or at once when the signal comes; never rejects */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  log: RegistryLog;
}

/**
 * Asks what computes every few seconds which adapters it has: those that a server behind lost, since it was started anew, are loaded
 * again, and those that it was to unload and has not are unloaded.
 * Until the signal; what fails is told once, and tried again.
 */
export async function keepAdaptersLoaded(
  { names, everyMs, wait, log }: KeepLoaded,
  signal: AbortSignal,
): Promise<void> {
  let told: string | null = null;
  while (!signal.aborted) {
    try {
      const restored = await names.restore();
      if (restored.length > 0)
        log.warn("adapters loaded again: the server behind had lost them", { adapters: restored });
      if (told !== null) log.info("the server behind has all adapters again", {});
      told = null;
    } catch (cause) {
      const code = cause instanceof FedmktError ? cause.code : "UNEXPECTED";
      if (told !== code) log.warn("adapters not looked after", { code, reason: (cause as Error).message });
      told = code;
    }
    await wait(everyMs, signal);
  }
}
