import { Duration } from "aws-cdk-lib";
import {
  type Chain,
  Choice,
  Condition,
  type IChainable,
  JsonPath,
  Map as MapState,
  Parallel,
  Pass,
  type StateMachine,
} from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { HouseMachine } from "./house-machine.ts";
import { type StageStates, WORKERS_AT_A_TIME } from "./stage-states.ts";

const RUN_AND_ROUND = { run: JsonPath.stringAt("$.run"), round: JsonPath.numberAt("$.round") };
/** the name of the run's execution: its workers bear it */
const EXECUTION = JsonPath.stringAt("$.execution");
const ITEM = "$$.Map.Item.Value";

/**
 * One round, of a run or of a variant. Input {execution, run, round, direction, aggregation, begun, members: {clients, parties,
 * toServer, toClients}}, output {run, round, done, dollars, next}, next being the following round's input but for the execution.
 * Every state hands its input on unchanged: what stages make lies in S3 under keys that follow from run, round and party.
 */
export class RoundMachine extends Construct {
  readonly machine: StateMachine;

  constructor(
    scope: Construct,
    id: string,
    { stages, settings }: { stages: StageStates; settings: DeploymentSettings },
  ) {
    super(scope, id);
    const teachClients = this.align(stages, "AlignForClients", "AlignShardForClient", "$.members.toClients", {
      source: "server",
    })
      .next(this.distilClients(stages))
      .next(
        new Choice(this, "ShouldAverage")
          .when(
            Condition.stringEquals("$.aggregation", "fedavg"),
            stages.lambda(this, "AverageAdapters", "average-adapters", RUN_AND_ROUND),
          )
          .afterwards({ includeOtherwise: true }),
      )
      .next(
        this.eachParty("EvaluateParties", "$.members.parties", "evaluate", stages.worker(this, "Evaluate", "evaluate")),
      )
      .next(stages.lambda(this, "CloseRound", "close-round", RUN_AND_ROUND, { outputPath: "$.Payload" }));
    const teach = new Choice(this, "DoesServerLearn")
      .when(Condition.stringEquals("$.direction", "both"), this.distilServer(stages).next(teachClients))
      .otherwise(teachClients);
    const begin = new Choice(this, "IsBegun", {
      comment: "a variant begins its first round where the run's had not transferred anything",
    })
      .when(Condition.booleanEquals("$.begun", false), this.learnAndExtract(stages).next(teach))
      .otherwise(teach);
    const definition = this.serverJobs().next(begin);
    this.machine = new HouseMachine(this, "Machine", {
      name: settings.names.roundMachine,
      definition,
      settings,
      timeout: Duration.days(7),
      comment: "FedMKT: one round",
    });
    for (const statement of stages.startsWorkers()) this.machine.addToRolePolicy(statement);
  }

  /** The server's jobs of this round, spelled out once, so that its states need no string templates. */
  private serverJobs(): Pass {
    return new Pass(this, "PrepareServerJobs", {
      parameters: {
        extract: serverJob("server-extract"),
        distil: serverJob("server-distil"),
      },
      resultPath: "$.server",
    });
  }

  private learnAndExtract(stages: StageStates): Parallel {
    return new Parallel(this, "LearnAndExtract", { resultPath: JsonPath.DISCARD })
      .branch(
        this.eachParty(
          "TrainClients",
          "$.members.clients",
          "client-train",
          stages.worker(this, "ClientTrain", "client-train"),
        ),
      )
      .branch(
        new Choice(this, "IsFirstRound")
          .when(
            Condition.and(
              Condition.numberEquals("$.round", 1),
              Condition.not(Condition.stringEquals("$.direction", "none")),
            ),
            stages.serverWorker(this, "ServerExtract", "server-extract", "$.server.extract"),
          )
          .otherwise(
            new Pass(this, "ServerHasExtracted", {
              comment: "after the last round's distillation, or once for all rounds",
            }),
          ),
      );
  }

  private distilServer(stages: StageStates): Chain {
    return this.align(stages, "AlignForServer", "AlignShardForServer", "$.members.toServer", { target: "server" })
      .next(stages.lambda(this, "SelectForServer", "select-knowledge", { ...RUN_AND_ROUND, target: "server" }))
      .next(stages.serverWorker(this, "ServerDistil", "server-distil", "$.server.distil"));
  }

  private distilClients(stages: StageStates): MapState {
    const select = stages.lambda(this, "SelectForClient", "select-knowledge", {
      run: JsonPath.stringAt("$.job.run"),
      round: JsonPath.numberAt("$.job.round"),
      target: JsonPath.stringAt("$.party"),
    });
    const each = new Choice(this, "DoesClientSelect")
      .when(Condition.not(Condition.stringEquals("$.direction", "none")), select)
      .afterwards({ includeOtherwise: true })
      .next(stages.worker(this, "ClientDistil", "client-distil"));
    return this.eachParty("DistilClients", "$.members.clients", "client-distil", each);
  }

  private eachParty(stateName: string, itemsPath: string, stage: string, each: IChainable): MapState {
    return new MapState(this, stateName, {
      itemsPath,
      itemSelector: {
        compute: JsonPath.stringAt(`${ITEM}.compute`),
        party: JsonPath.stringAt(`${ITEM}.id`),
        execution: EXECUTION,
        direction: JsonPath.stringAt("$.direction"),
        job: { stage, ...RUN_AND_ROUND, party: JsonPath.stringAt(`${ITEM}.id`) },
      },
      maxConcurrency: WORKERS_AT_A_TIME,
      resultPath: JsonPath.DISCARD,
    }).itemProcessor(each);
  }

  /** @param fixed - the side that is the same for all; the items name the other */
  private align(
    stages: StageStates,
    stateName: string,
    eachName: string,
    itemsPath: string,
    fixed: { source: string } | { target: string },
  ): MapState {
    return new MapState(this, stateName, {
      itemsPath,
      itemSelector: {
        ...RUN_AND_ROUND,
        ...("source" in fixed ? { target: JsonPath.stringAt(`${ITEM}.target`) } : {}),
        ...("target" in fixed ? { source: JsonPath.stringAt(`${ITEM}.source`) } : {}),
        ...fixed,
        shard: JsonPath.numberAt(`${ITEM}.shard`),
      },
      resultPath: JsonPath.DISCARD,
    }).itemProcessor(stages.alignShard(this, eachName));
  }
}

function serverJob(stage: string) {
  return { party: "server", execution: EXECUTION, job: { stage, ...RUN_AND_ROUND, party: "server" } };
}
