import type { Baseline, RunSpec } from "../contracts/run-spec.ts";
import type { PlannedRun } from "../contracts/stages.ts";
import type { Variant } from "../contracts/variants.ts";
import { SERVER } from "./round-members.ts";

/** A baseline that is one job of one party, not a run of its own. */
export type BaselineJob = Exclude<Baseline, Variant | "no-distillation">;

/** With λ = 1 a party learns from no knowledge whatever is transferred: what these jobs do. By who asks for which. */
export const WITHOUT_DISTILLATION = { clients: "standalone+public", server: "public-only" } as const;

const PARTIES: Record<BaselineJob, ("server" | "clients")[]> = {
  "zero-shot": ["server", "clients"],
  standalone: ["clients"],
  "standalone+public": ["clients"],
  "public-only": ["server"],
  centralized: ["server"],
};

/**
 * The jobs of a run's baselines, each once, whoever asks for it. Where there is something to score on, every party is scored before
 * the first round too, asked for or not.
 */
export function planBaselines(spec: RunSpec): PlannedRun["baselines"] {
  if (spec.evaluation.length === 0) return [];
  const parties = {
    server: [{ party: SERVER.id, compute: SERVER.compute }],
    clients: spec.clients.map(({ id, compute }) => ({ party: id, compute })),
  };
  const asked = spec.baselines.flatMap((baseline) =>
    baseline === "no-distillation" ? Object.values(WITHOUT_DISTILLATION) : [baseline],
  );
  const wanted = new Set<string>(["zero-shot", ...asked]);
  return [...wanted].flatMap((baseline) =>
    (PARTIES[baseline as BaselineJob] ?? []).flatMap((kind) => parties[kind].map((party) => ({ ...party, baseline }))),
  );
}
