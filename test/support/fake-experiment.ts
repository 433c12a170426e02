import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Dependencies } from "../../cli/src/dependencies.ts";
import { readRunSpec } from "../../shared/src/contracts/read-run-spec.ts";
import type { RunSpec } from "../../shared/src/contracts/run-spec.ts";
import type { Score } from "../../shared/src/contracts/summary.ts";
import { SUMMARY } from "./summary.ts";

/** What a baseline's bits per byte are, whatever the transfer. */
const BASELINE_LEVELS: Readonly<Record<string, number>> = { "standalone+public": 2, "public-only": 3 };

/** Bits per byte that fall with λ, and are other ones for each seed and party. */
function scoresOf(spec: RunSpec): Score[] {
  const clients = spec.clients.map(({ id }) => id);
  return ["server", ...clients].flatMap((party, place) => {
    const level = place / 10 + spec.seed / 100;
    const score = (variant: string, round: number, value: number): Score => ({
      ...{ party, set: "harbour", metric: "bits-per-byte", variant, round },
      value,
    });
    const isServer = party === "server";
    const trained = spec.baselines.filter((name) => (name === "public-only") === isServer && name in BASELINE_LEVELS);
    return [
      score("zero-shot", 0, 4 + level),
      ...trained.map((name) => score(name, spec.rounds, BASELINE_LEVELS[name]! + level)),
      ...[1, 2].map((round) =>
        score("fedmkt", round, 3.5 - round * spec.distillation.lambda * (1 + spec.seed / 10) + level),
      ),
    ];
  });
}

/** Runs of an experiment without a process: scores that follow from the spec, and files as a run leaves them. */
export class FakeRuns {
  /** the specs that were run, in order */
  readonly specs: RunSpec[] = [];
  /** called before a run ends; what it throws ends the run so */
  beforeEnd: (spec: RunSpec, signal: AbortSignal) => void | Promise<void> = () => {};

  readonly run: Dependencies["runLocally"] = async ({ specYaml, folder, signal }) => {
    const spec = readRunSpec(new TextDecoder().decode(specYaml), "spec");
    mkdirSync(join(folder, "aws/objects"), { recursive: true });
    writeFileSync(join(folder, "aws/objects/shard"), "large");
    this.specs.push(spec);
    await this.beforeEnd(spec, signal);
    if (signal.aborted) return { ...none, status: "FAILED", error: "Aborted" };
    const summary = {
      ...{ ...SUMMARY, run: spec.name, seed: spec.seed, scores: scoresOf(spec) },
      adapters: [{ party: "server", folder: "adapters/server" }],
      selections: SUMMARY.selections.map((one) =>
        one.target === "server" && spec.distillation.lambda > 0.5 ? { ...one, none: one.samples } : one,
      ),
    };
    const readObject = async (_: string, key: string) =>
      new TextEncoder().encode(key.endsWith("summary.json") ? JSON.stringify(summary) : key);
    return { ...none, status: "SUCCEEDED", readObject };
  };
}

const none = {
  control: "control",
  artefacts: "artefacts",
  registry: "registry",
  readObject: async () => new Uint8Array(),
};
