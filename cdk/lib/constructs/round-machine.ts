import { Duration } from "aws-cdk-lib";
import {
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
 * One round. Input {run, round, execution, clients, parties, toServer, toClients, aggregation}, output {run, round, done, dollars}.
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
    const definition = this.serverJobs()
      .next(this.learnAndExtract(stages))
      .next(this.align(stages, "AlignForServer", "AlignShardForServer", "$.toServer"))
      .next(stages.lambda(this, "SelectForServer", "select-knowledge", { ...RUN_AND_ROUND, target: "server" }))
      .next(stages.serverWorker(this, "ServerDistil", "server-distil", "$.server.distil"))
      .next(this.align(stages, "AlignForClients", "AlignShardForClient", "$.toClients"))
      .next(this.distilClients(stages))
      .next(
        new Choice(this, "ShouldAverage")
          .when(
            Condition.stringEquals("$.aggregation", "fedavg"),
            stages.lambda(this, "AverageAdapters", "average-adapters", RUN_AND_ROUND),
          )
          .afterwards({ includeOtherwise: true }),
      )
      .next(this.eachParty("EvaluateParties", "$.parties", "evaluate", stages.worker(this, "Evaluate", "evaluate")))
      .next(stages.lambda(this, "CloseRound", "close-round", RUN_AND_ROUND, { outputPath: "$.Payload" }));
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
        this.eachParty("TrainClients", "$.clients", "client-train", stages.worker(this, "ClientTrain", "client-train")),
      )
      .branch(
        new Choice(this, "IsFirstRound")
          .when(
            Condition.numberEquals("$.round", 1),
            stages.serverWorker(this, "ServerExtract", "server-extract", "$.server.extract"),
          )
          .otherwise(new Pass(this, "ServerHasExtracted", { comment: "after the last round's distillation" })),
      );
  }

  private distilClients(stages: StageStates): MapState {
    const select = stages.lambda(this, "SelectForClient", "select-knowledge", {
      run: JsonPath.stringAt("$.job.run"),
      round: JsonPath.numberAt("$.job.round"),
      target: JsonPath.stringAt("$.party"),
    });
    const distil = stages.worker(this, "ClientDistil", "client-distil");
    return this.eachParty("DistilClients", "$.clients", "client-distil", select.next(distil));
  }

  private eachParty(stateName: string, itemsPath: string, stage: string, each: IChainable): MapState {
    return new MapState(this, stateName, {
      itemsPath,
      itemSelector: {
        compute: JsonPath.stringAt(`${ITEM}.compute`),
        party: JsonPath.stringAt(`${ITEM}.id`),
        execution: EXECUTION,
        job: { stage, ...RUN_AND_ROUND, party: JsonPath.stringAt(`${ITEM}.id`) },
      },
      maxConcurrency: WORKERS_AT_A_TIME,
      resultPath: JsonPath.DISCARD,
    }).itemProcessor(each);
  }

  private align(stages: StageStates, stateName: string, eachName: string, itemsPath: string): MapState {
    return new MapState(this, stateName, {
      itemsPath,
      itemSelector: {
        ...RUN_AND_ROUND,
        source: JsonPath.stringAt(`${ITEM}.source`),
        target: JsonPath.stringAt(`${ITEM}.target`),
        shard: JsonPath.numberAt(`${ITEM}.shard`),
      },
      resultPath: JsonPath.DISCARD,
    }).itemProcessor(stages.alignShard(this, eachName));
  }
}

function serverJob(stage: string) {
  return { party: "server", execution: EXECUTION, job: { stage, ...RUN_AND_ROUND, party: "server" } };
}
