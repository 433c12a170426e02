import { artefactKeys, MANIFEST } from "@fedmkt/shared/contracts/keys.ts";
import type { Plan } from "@fedmkt/shared/contracts/plan.ts";
import { plannedRound, variantPlan } from "@fedmkt/shared/use-cases/plan-rounds.ts";
import { count } from "../count.ts";

/** How far a run is, by what its jobs have committed. */
export interface RunProgress {
  /** a baseline that is a run of its own, where the run's rounds are over; null: the run itself */
  variant: string | null;
  /** 0 while baselines run */
  round: number;
  rounds: number;
  /** the stage that is under way, or `publish-run` */
  stage: string;
  done: number;
  of: number;
  /** of the stage: who is not done yet, running or waiting; shards are counted, not named */
  open: string[];
}

interface Step {
  variant: string | null;
  round: number;
  stage: string;
  /** who, by the key that is there once they are done; several keys may be one party's */
  jobs: { who: string; key: string }[];
}

/** @param done - keys of the artefact bucket: manifests, selections, rounds' summaries */
export function findProgress(plan: Plan, done: ReadonlySet<string>): RunProgress {
  const { rounds } = plan.spec;
  for (const { variant, round, stage, jobs } of stepsOf(plan)) {
    const open = jobs.filter(({ key }) => !done.has(key));
    if (open.length > 0)
      return {
        variant,
        round,
        rounds,
        stage,
        done: jobs.length - open.length,
        of: jobs.length,
        open: [...new Set(open.map(({ who }) => who))],
      };
  }
  return { variant: null, round: rounds, rounds, stage: "publish-run", done: 0, of: 1, open: [] };
}

/** One line for a person. */
export function describeProgress({ variant, round, rounds, stage, done, of, open }: RunProgress): string {
  const ofRound = round === 0 ? "before round 1" : `round ${round} of ${rounds}`;
  const where = variant === null ? ofRound : `baseline ${variant}, ${ofRound}`;
  if (of === 1) return `${where}: ${stage}${open.length === 1 ? ` of ${open[0]}` : ""}`;
  return `${where}: ${stage}, ${done} of ${count(of, "job")} done${open.length > 0 ? `, not yet ${open.join(", ")}` : ""}`;
}

/** Everything that a run does, in its order, as the machines do it. */
function* stepsOf(plan: Plan): Generator<Step> {
  const { run, machine } = plan;
  yield {
    variant: null,
    round: 0,
    stage: "run-baseline",
    jobs: machine.baselines.map(({ party, baseline }) => ({
      who: `${party} (${baseline})`,
      key: `${artefactKeys.baseline(run, party, baseline)}/${MANIFEST}`,
    })),
  };
  for (const one of [plan, ...machine.variants.map((variant) => variantPlan(plan, variant))])
    for (let round = 1; round <= one.spec.rounds; round++) yield* stepsOfRound(one, round);
}

function* stepsOfRound(plan: Plan, round: number): Generator<Step> {
  const { run, variantOf } = plan;
  const { direction, aggregation, begun, members } = plannedRound(plan, round);
  const step = (stage: string, jobs: Step["jobs"]): Step => ({
    variant: variantOf?.variant ?? null,
    round,
    stage,
    jobs,
  });
  const jobs = (stage: string, ids: readonly { id: string }[]) =>
    step(
      stage,
      ids.map(({ id }) => ({ who: id, key: `${artefactKeys.job(run, round, stage, id)}/${MANIFEST}` })),
    );
  const shards = (transfers: readonly { source: string; target: string; shard: number }[]) =>
    step(
      "align-shard",
      transfers.map(({ source, target, shard }) => ({
        who: `${source} → ${target}`,
        key: `${artefactKeys.aligned(run, round, source, target, shard)}/${MANIFEST}`,
      })),
    );
  const server = [{ id: "server" }];
  if (!begun) {
    yield jobs("client-train", members.clients);
    if (round === 1 && direction !== "none") yield jobs("server-extract", server);
  }
  if (direction === "both") {
    yield shards(members.toServer.map((transfer) => ({ ...transfer, target: "server" })));
    yield step("select-knowledge", [{ who: "server", key: artefactKeys.selection(run, round, "server") }]);
    yield jobs("server-distil", server);
  }
  yield shards(members.toClients.map((transfer) => ({ source: "server", ...transfer })));
  yield jobs("client-distil", members.clients);
  if (aggregation === "fedavg")
    yield step("average-adapters", [{ who: "clients", key: `${artefactKeys.averaged(run, round)}/${MANIFEST}` }]);
  yield jobs("evaluate", members.parties);
  yield step("close-round", [{ who: "round", key: artefactKeys.roundSummary(run, round) }]);
}
