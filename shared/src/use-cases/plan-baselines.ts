import type { RunSpec } from "../contracts/run-spec.ts";
import type { PlannedRun } from "../contracts/stages.ts";

/** The server's jobs run in the coordinator's own cluster, always. */
export const SERVER = { id: "server", compute: "ecs" } as const;

/** Where there is something to score on, every party is scored before the first round too, asked for or not. */
export function planBaselines(spec: RunSpec): PlannedRun["baselines"] {
  if (spec.evaluation.length === 0) return [];
  const clients = spec.clients.map(({ id, compute }) => ({ id, compute }));
  const wanted = new Set(["zero-shot", ...spec.baselines]);
  const partiesOf: Record<string, PlannedRun["parties"]> = {
    "zero-shot": [SERVER, ...clients],
    standalone: clients,
    "standalone+public": clients,
    "public-only": [SERVER],
  };
  return [...wanted].flatMap((baseline) =>
    partiesOf[baseline].map(({ id, compute }) => ({ party: id, compute, baseline })),
  );
}
