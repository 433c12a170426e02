import { artefactKeys, MANIFEST } from "@fedmkt/shared/contracts/keys.ts";
import type { Plan } from "@fedmkt/shared/contracts/plan.ts";
import { count } from "../count.ts";

/** How far a run is, by what its jobs have committed. */
export interface RunProgress {
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
  round: number;
  stage: string;
  /** who, by the key that is there once they are done; several keys may be one party's */
  jobs: { who: string; key: string }[];
}

/** @param done - keys of the artefact bucket: manifests, selections, rounds' summaries */
export function findProgress(plan: Plan, done: ReadonlySet<string>): RunProgress {
  const { rounds } = plan.spec;
  for (const { round, stage, jobs } of stepsOf(plan)) {
    const open = jobs.filter(({ key }) => !done.has(key));
    if (open.length > 0)
      return {
        round,
        rounds,
        stage,
        done: jobs.length - open.length,
        of: jobs.length,
        open: [...new Set(open.map(({ who }) => who))],
      };
  }
  return { round: rounds, rounds, stage: "publish-run", done: 0, of: 1, open: [] };
}

/** One line for a person. */
export function describeProgress({ round, rounds, stage, done, of, open }: RunProgress): string {
  const where = round === 0 ? "before round 1" : `round ${round} of ${rounds}`;
  if (of === 1) return `${where}: ${stage}${open.length === 1 ? ` of ${open[0]}` : ""}`;
  return `${where}: ${stage}, ${done} of ${count(of, "job")} done${open.length > 0 ? `, not yet ${open.join(", ")}` : ""}`;
}

/** Everything that a run does, in its order, as the machines do it. */
function* stepsOf({ run, spec, machine }: Plan): Generator<Step> {
  const { clients, parties, baselines, aggregation } = machine;
  yield {
    round: 0,
    stage: "run-baseline",
    jobs: baselines.map(({ party, baseline }) => ({
      who: `${party} (${baseline})`,
      key: `${artefactKeys.baseline(run, party, baseline)}/${MANIFEST}`,
    })),
  };
  for (let round = 1; round <= spec.rounds; round++) {
    const jobs = (stage: string, ids: readonly { id: string }[]) =>
      ids.map(({ id }) => ({ who: id, key: `${artefactKeys.job(run, round, stage, id)}/${MANIFEST}` }));
    const shards = (transfers: Plan["machine"]["toServer"]) =>
      transfers.map(({ source, target, shard }) => ({
        who: `${source} → ${target}`,
        key: `${artefactKeys.aligned(run, round, source, target, shard)}/${MANIFEST}`,
      }));
    const server = [{ id: "server" }];
    const select = [{ who: "server", key: artefactKeys.selection(run, round, "server") }];
    yield { round, stage: "client-train", jobs: jobs("client-train", clients) };
    if (round === 1) yield { round, stage: "server-extract", jobs: jobs("server-extract", server) };
    yield { round, stage: "align-shard", jobs: shards(machine.toServer) };
    yield { round, stage: "select-knowledge", jobs: select };
    yield { round, stage: "server-distil", jobs: jobs("server-distil", server) };
    yield { round, stage: "align-shard", jobs: shards(machine.toClients) };
    yield { round, stage: "client-distil", jobs: jobs("client-distil", clients) };
    if (aggregation === "fedavg")
      yield {
        round,
        stage: "average-adapters",
        jobs: [{ who: "clients", key: `${artefactKeys.averaged(run, round)}/${MANIFEST}` }],
      };
    yield { round, stage: "evaluate", jobs: jobs("evaluate", parties) };
    yield { round, stage: "close-round", jobs: [{ who: "round", key: artefactKeys.roundSummary(run, round) }] };
  }
}
