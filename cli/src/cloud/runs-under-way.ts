import { controlKeys } from "@fedmkt/shared/contracts/keys.ts";
import { z } from "zod";
import type { Cloud } from "./cloud.ts";

const started = z.looseObject({ detail: z.looseObject({ object: z.looseObject({ key: z.string() }) }) });

/** Names of the runs whose executions go on, in order. */
export async function runsUnderWay({ machines, names }: Cloud): Promise<string[]> {
  const found = new Set<string>();
  for (const id of await machines.running(names.runMachine)) {
    const run = runOf((await machines.describe(id))?.input ?? "");
    if (run !== null) found.add(run);
  }
  return [...found].sort();
}

function runOf(input: string): string | null {
  try {
    const key = started.parse(JSON.parse(input)).detail.object.key;
    const run = key.split("/")[1] ?? "";
    return key === controlKeys.spec(run) ? run : null;
  } catch {
    return null; // an execution that somebody started otherwise
  }
}
