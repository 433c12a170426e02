import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { synthesize } from "../../cdk/lib/synthesize.ts";
import { readAssembly } from "../../cli/src/local/assembly.ts";
import type { Compute } from "../../shared/src/contracts/compute.ts";
import type { PlannedRound, PlannedRun } from "../../shared/src/contracts/stages.ts";
import { VARIANTS, variantRun } from "../../shared/src/contracts/variants.ts";
import { FUNCTION_MEGABYTES } from "../../shared/src/core/cost/estimate-cost.ts";
import {
  countRoundStates,
  countRun,
  countRunStates,
  EVENTS_OF_A_RETRY,
  type RoundStates,
  STEP_FUNCTIONS_LIMITS,
} from "../../shared/src/core/cost/machine-states.ts";
import { largestPayloadBytes } from "../../shared/src/core/cost/payload.ts";
import { countEvents, type History, historyOf } from "../support/count-history.ts";
import { executeDefinition } from "../support/execute-definition.ts";
import { partySize, runSize } from "../support/run-size.ts";

const folder = synthesize({ bundle: false, outdir: mkdtempSync(join(tmpdir(), "fedmkt-history-")) });
const { resources } = readAssembly(folder, (name) => `https://sqs.us-east-1.amazonaws.com/000000000000/${name}`);
const machineOf = (name: string) =>
  JSON.parse(
    String(
      resources.find(({ type, name: found }) => type === "AWS::StepFunctions::StateMachine" && found.endsWith(name))!
        .properties.DefinitionString,
    ),
  ) as object;
const runMachine = machineOf("-run");
const roundMachine = machineOf("-round");
const uploaded = JSON.parse(readFileSync(new URL("../../events/run/run-uploaded.json", import.meta.url), "utf8"));
const RUN = uploaded.detail.object.key.split("/")[1];

interface Federation {
  /** of the run itself; a variant has as many */
  rounds: number;
  clients: number;
  shards: number;
  maps: number;
  baselines: number;
  averages: boolean;
  direction?: RoundStates["direction"];
  /** directions of variants that follow; they average */
  variants?: RoundStates["direction"][];
  /** clients that leave after the first round */
  leaving?: number;
  /** where the clients' jobs run, in turn */
  computes?: Compute[];
  /** may throw in a state's place */
  fail?: (state: string) => void;
}

const idOf = (client: number) => `hospital-north-${String(client).padStart(2, "0")}`;

/** Every round of a federation of this size, as plan-run and close-round would tell the machine. */
function roundsOf({ shards, ...federation }: Federation): PlannedRound[] {
  const { rounds, averages, direction = "both", variants = [], leaving = 0, computes = ["ecs"] } = federation;
  const all = Array.from({ length: federation.clients }, (_, index) => ({
    id: idOf(index),
    compute: computes[index % computes.length],
  }));
  const places = Array.from({ length: shards }, (_, shard) => shard);
  return [direction, ...variants].flatMap((way, variant) =>
    Array.from({ length: rounds }, (_, index): PlannedRound => {
      const clients = index === 0 ? all : all.slice(leaving);
      return {
        run: variant === 0 ? RUN : variantRun(RUN, VARIANTS[variant - 1]),
        round: index + 1,
        direction: way,
        aggregation: averages || variant > 0 ? "fedavg" : "none",
        begun: variant > 0 && index === 0,
        members: {
          clients,
          parties: way === "both" ? [{ id: "server", compute: "ecs" }, ...clients] : clients,
          toServer: way === "both" ? clients.flatMap(({ id }) => places.map((shard) => ({ source: id, shard }))) : [],
          toClients: way === "none" ? [] : clients.flatMap(({ id }) => places.map((shard) => ({ target: id, shard }))),
        },
      };
    }),
  );
}

function planOf(federation: Federation): PlannedRun {
  const { clients, maps, baselines } = federation;
  const [first] = roundsOf(federation);
  return {
    run: RUN,
    maps: Array.from({ length: maps }, () => ({ source: "server", target: idOf(0) })),
    baselines: Array.from({ length: baselines }, (_, index) => ({
      ...{ party: idOf(index % clients), compute: first.members.clients[index % clients].compute },
      baseline: "standalone+public",
    })),
    variants: [],
    first,
  };
}

/** What the model of costs is told of it. */
const statesOf = (federation: Federation): RoundStates[] =>
  roundsOf(federation).map(({ run, round, direction, aggregation, begun, members }) => ({
    clients: members.clients.length,
    parties: members.parties.length,
    toServer: members.toServer.length,
    toClients: members.toClients.length,
    direction,
    averages: aggregation === "fedavg",
    begun,
    extracts: run === RUN && round === 1 && direction !== "none",
  }));

/** Runs both machines as the interpreter does, nothing behind them; @returns the histories of all their executions. */
async function execute(federation: Federation): Promise<{ run: History; rounds: History[]; largestResult: number }> {
  const rounds: History[] = [];
  const planned = roundsOf(federation);
  let largestResult = 0;
  async function work(state: string, parameters: Record<string, unknown>): Promise<unknown> {
    federation.fail?.(state);
    if ("StateMachineArn" in parameters) {
      const { history, record } = historyOf(roundMachine);
      rounds.push(history);
      const Output = await executeDefinition(roundMachine, parameters.Input, work, record);
      // as AWS does: what a state gets of a nested execution holds its input too
      const result = { Input: parameters.Input, Output };
      largestResult = Math.max(largestResult, JSON.stringify(result).length);
      return result;
    }
    if (!("Payload" in parameters)) return {};
    const { run, round } = parameters.Payload as { run: string; round: number };
    if (state === "PlanRun") return { Payload: { run: RUN, taken: null, machine: planOf(federation) } };
    if (state === "CloseRound") {
      const next = planned[planned.findIndex((one) => one.run === run && one.round === round) + 1] ?? null;
      return { Payload: { run, round, done: next === null, dollars: 1.5, next } };
    }
    return { Payload: {} };
  }
  const { history, record } = historyOf(runMachine);
  await executeDefinition(runMachine, uploaded, work, record);
  return { run: history, rounds, largestResult };
}

const counted = (history: History) => ({ transitions: history.transitions, events: countEvents(history) });

describe("the machines' history", () => {
  it.each<Federation>([
    { rounds: 1, clients: 1, shards: 1, maps: 0, baselines: 0, averages: false },
    { rounds: 2, clients: 2, shards: 3, maps: 4, baselines: 5, averages: true, computes: ["worker"] },
    { rounds: 3, clients: 4, shards: 2, maps: 1, baselines: 1, averages: false, computes: ["ecs", "worker"] },
    { rounds: 2, clients: 12, shards: 5, maps: 24, baselines: 13, averages: true },
    { rounds: 2, clients: 3, shards: 2, maps: 1, baselines: 1, averages: false, direction: "to-clients", leaving: 2 },
    { rounds: 2, clients: 2, shards: 2, maps: 0, baselines: 0, averages: true, direction: "none" },
    { rounds: 2, clients: 2, shards: 3, maps: 2, baselines: 3, averages: false, variants: ["none", "to-clients"] },
  ])("is as long as the model of costs says, state by state: %j", async (federation) => {
    const { run, rounds } = await execute(federation);
    const size = { ...federation, rounds: statesOf(federation) };
    expect(counted(run)).toEqual(countRunStates(size));
    expect(rounds.map(counted)).toEqual(size.rounds.map(countRoundStates));
    const all = [run, ...rounds].map(counted);
    expect(countRun(size)).toEqual({
      transitions: all.reduce((sum, { transitions }) => sum + transitions, 0),
      events: all.reduce((sum, { events }) => sum + events, 0),
      longestHistory: Math.max(...all.map(({ events }) => events)),
    });
  });

  it("knows AWS's events of each kind of state", async () => {
    const { rounds } = await execute({
      rounds: 1,
      clients: 2,
      shards: 3,
      maps: 0,
      baselines: 0,
      averages: false,
      computes: ["ecs", "worker"],
    });
    expect(Object.fromEntries(rounds[0].events)).toEqual({
      ...{ ExecutionStarted: 1, ExecutionSucceeded: 1 },
      ...{ PassStateEntered: 1, PassStateExited: 1 },
      // is it begun, is it the first round, does the server learn, does each of 2 clients select, shall adapters be averaged, and
      // where each of 2 + 2 + 3 jobs runs
      ...{ ChoiceStateEntered: 13, ChoiceStateExited: 13 },
      ...{ ParallelStateEntered: 1, ParallelStateStarted: 1, ParallelStateSucceeded: 1, ParallelStateExited: 1 },
      ...{ MapStateEntered: 5, MapStateStarted: 5, MapStateSucceeded: 5, MapStateExited: 5 },
      // 2 trainings, 2 × 6 shards, 2 distillations, 3 evaluations
      ...{ MapIterationStarted: 19, MapIterationSucceeded: 19 },
      // 4 functions are called; 2 server jobs, 7 jobs and 12 shards are waited for
      ...{ TaskStateEntered: 25, TaskScheduled: 25, TaskStarted: 25, TaskSucceeded: 25, TaskStateExited: 25 },
      TaskSubmitted: 21,
    });
  });

  it("grows by four events and one transition with each retry, by six and one where a spot machine is taken away", async () => {
    const federation: Federation = { rounds: 1, clients: 1, shards: 1, maps: 0, baselines: 0, averages: false };
    const failing = (name: string, times: number) => {
      let left = times;
      return (state: string) => {
        if (state === name && left-- > 0) throw Object.assign(new Error("gone"), { name: "TransientError" });
      };
    };
    const { events, transitions } = countRoundStates(statesOf(federation)[0]);
    const retried = await execute({ ...federation, fail: failing("AlignShardForServer", 2) });
    expect(counted(retried.rounds[0])).toEqual({
      events: events + 2 * EVENTS_OF_A_RETRY,
      transitions: transitions + 2,
    });
    const taken = await execute({ ...federation, fail: failing("ServerDistilOnSpot", 1) });
    expect(counted(taken.rounds[0])).toEqual({ events: events + 6, transitions: transitions + 1 });
  });

  it("stays below a quarter of Step Functions' limits in ten rounds of eight clients", async () => {
    const size: Federation = {
      rounds: 10,
      clients: 8,
      shards: 16,
      maps: 16,
      baselines: 26,
      averages: true,
      computes: ["ecs", "worker"],
    };
    const { run, rounds, largestResult } = await execute(size);
    expect(largestResult).toBeLessThan(STEP_FUNCTIONS_LIMITS.payloadBytes / 4);
    for (const history of [run, ...rounds]) {
      expect(countEvents(history)).toBeLessThan(STEP_FUNCTIONS_LIMITS.events / 4);
      expect(history.largest.bytes).toBeLessThan(STEP_FUNCTIONS_LIMITS.payloadBytes / 4);
    }
    // the numbers that docs/limits.md gives
    const largest = Math.max(run.largest.bytes, largestResult, ...rounds.map((history) => history.largest.bytes));
    expect({ round: Math.max(...rounds.map(countEvents)), run: countEvents(run), largest }).toEqual({
      round: 2417,
      run: 484,
      largest: 23201,
    });
  });

  it("has no state larger than the model of costs says, and hardly smaller", async () => {
    const size = runSize({
      publicSamples: 1024,
      samplesPerShard: 64,
      maps: 16,
      clients: Array.from({ length: 8 }, (_, index) => partySize({ id: idOf(index) })),
      baselines: [],
    });
    for (const [count, direction] of [
      [1, "both"],
      [2, "both"],
      [2, "to-clients"],
    ] as const) {
      const federation = { rounds: count, clients: 8, shards: 16, maps: 16, baselines: 0, averages: false, direction };
      const { run, rounds, largestResult } = await execute(federation);
      const largest = Math.max(run.largest.bytes, largestResult, ...rounds.map((history) => history.largest.bytes));
      const expected = largestPayloadBytes({ ...size, rounds: count, direction });
      expect(expected).toBeGreaterThanOrEqual(largest);
      expect(expected).toBeLessThan(1.1 * largest);
    }
  });

  it("is paid with functions of the memory that the template gives them", () => {
    const functions = resources.filter(({ type }) => type === "AWS::Lambda::Function");
    const found = functions.map(({ properties }) => [
      String(properties.Handler).replace(".handler", ""),
      properties.MemorySize,
    ]);
    expect(Object.fromEntries(found)).toMatchObject(FUNCTION_MEGABYTES);
  });
});
