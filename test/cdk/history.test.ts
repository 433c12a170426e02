import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { synthesize } from "../../cdk/lib/synthesize.ts";
import { readAssembly } from "../../cli/src/local/assembly.ts";
import type { Compute } from "../../shared/src/contracts/compute.ts";
import type { PlannedRun } from "../../shared/src/contracts/stages.ts";
import { FUNCTION_MEGABYTES } from "../../shared/src/core/cost/estimate-cost.ts";
import {
  countRoundStates,
  countRun,
  countRunStates,
  EVENTS_OF_A_RETRY,
  type MachineSize,
  STEP_FUNCTIONS_LIMITS,
} from "../../shared/src/core/cost/machine-states.ts";
import { planPayloadBytes } from "../../shared/src/core/cost/payload.ts";
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

interface Federation extends MachineSize {
  /** where the clients' jobs run, in turn */
  computes?: Compute[];
  /** may throw in a state's place */
  fail?: (state: string) => void;
}

const idOf = (client: number) => `hospital-north-${String(client).padStart(2, "0")}`;

/** What plan-run would tell the machine of a federation of this size. */
function planOf({ clients: count, shards, maps, baselines, averages, computes = ["ecs"] }: Federation): PlannedRun {
  const clients = Array.from({ length: count }, (_, index) => ({
    id: idOf(index),
    compute: computes[index % computes.length],
  }));
  const eachShard = (source: string, target: string) =>
    Array.from({ length: shards }, (_, shard) => ({ source, target, shard }));
  return {
    run: RUN,
    round: 1,
    clients,
    parties: [{ id: "server", compute: "ecs" }, ...clients],
    maps: Array.from({ length: maps }, () => ({ source: "server", target: idOf(0) })),
    toServer: clients.flatMap(({ id }) => eachShard(id, "server")),
    toClients: clients.flatMap(({ id }) => eachShard("server", id)),
    baselines: Array.from({ length: baselines }, (_, index) => ({
      ...{ party: idOf(index % count), compute: clients[index % count].compute },
      baseline: "standalone+public",
    })),
    aggregation: averages ? "fedavg" : "none",
  };
}

/** Runs both machines as the interpreter does, nothing behind them; @returns the histories of all their executions. */
async function execute(federation: Federation): Promise<{ run: History; rounds: History[] }> {
  const rounds: History[] = [];
  async function work(state: string, parameters: Record<string, unknown>): Promise<unknown> {
    federation.fail?.(state);
    if ("StateMachineArn" in parameters) {
      const { history, record } = historyOf(roundMachine);
      rounds.push(history);
      return { Output: await executeDefinition(roundMachine, parameters.Input, work, record) };
    }
    if (!("Payload" in parameters)) return {};
    const input = parameters.Payload as { round: number };
    if (state === "PlanRun") return { Payload: { run: RUN, taken: null, machine: planOf(federation) } };
    if (state === "CloseRound")
      return { Payload: { run: RUN, round: input.round, done: input.round === federation.rounds, dollars: 1.5 } };
    return { Payload: {} };
  }
  const { history, record } = historyOf(runMachine);
  await executeDefinition(runMachine, uploaded, work, record);
  return { run: history, rounds };
}

const counted = (history: History) => ({ transitions: history.transitions, events: countEvents(history) });

describe("the machines' history", () => {
  it.each<Federation>([
    { rounds: 1, clients: 1, shards: 1, maps: 0, baselines: 0, averages: false },
    { rounds: 2, clients: 2, shards: 3, maps: 4, baselines: 5, averages: true, computes: ["worker"] },
    { rounds: 3, clients: 4, shards: 2, maps: 1, baselines: 1, averages: false, computes: ["ecs", "worker"] },
    { rounds: 2, clients: 12, shards: 5, maps: 24, baselines: 13, averages: true },
  ])("is as long as the model of costs says, state by state: %j", async (federation) => {
    const { run, rounds } = await execute(federation);
    expect(counted(run)).toEqual(countRunStates(federation));
    expect(rounds.map(counted)).toEqual(
      Array.from({ length: federation.rounds }, (_, index) => countRoundStates(federation, index === 0)),
    );
    const all = [run, ...rounds].map(counted);
    expect(countRun(federation)).toEqual({
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
      // is it the first round, shall adapters be averaged, and where each of 2 + 2 + 3 jobs runs
      ...{ ChoiceStateEntered: 9, ChoiceStateExited: 9 },
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
    const { events, transitions } = countRoundStates(federation, true);
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
    const { run, rounds } = await execute(size);
    for (const history of [run, ...rounds]) {
      expect(countEvents(history)).toBeLessThan(STEP_FUNCTIONS_LIMITS.events / 4);
      expect(history.largest.bytes).toBeLessThan(STEP_FUNCTIONS_LIMITS.payloadBytes / 4);
    }
    // the numbers that docs/limits.md gives
    const largest = Math.max(run.largest.bytes, ...rounds.map((history) => history.largest.bytes));
    expect({ round: Math.max(...rounds.map(countEvents)), run: countEvents(run), largest }).toEqual({
      round: 2397,
      run: 500,
      largest: 19156,
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
    const { run, rounds } = await execute({
      ...{ rounds: 1, clients: 8, shards: 16, maps: 16, baselines: 0, averages: false },
    });
    const largest = Math.max(run.largest.bytes, ...rounds.map((history) => history.largest.bytes));
    expect(planPayloadBytes(size)).toBeGreaterThanOrEqual(largest);
    expect(planPayloadBytes(size)).toBeLessThan(1.1 * largest);
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
