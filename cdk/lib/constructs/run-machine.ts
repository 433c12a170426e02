import { controlKeys } from "@fedmkt/shared/contracts/keys.ts";
import { RETRYABLE_STEP_FUNCTIONS_ERRORS } from "@fedmkt/shared/contracts/stages.ts";
import { Duration } from "aws-cdk-lib";
import {
  Choice,
  Condition,
  Fail,
  type IChainable,
  IntegrationPattern,
  type IStateMachine,
  JsonPath,
  Map as MapState,
  Pass,
  type StateMachine,
  Succeed,
  TaskInput,
  type TaskStateBase,
  Timeout,
} from "aws-cdk-lib/aws-stepfunctions";
import { StepFunctionsStartExecution } from "aws-cdk-lib/aws-stepfunctions-tasks";
import { Construct } from "constructs";
import type { DeploymentSettings } from "../deployment-settings.ts";
import { HouseMachine } from "./house-machine.ts";
import { retryService } from "./retry.ts";
import { type StageStates, WORKERS_AT_A_TIME } from "./stage-states.ts";

const RUN = JsonPath.stringAt("$.run");
const ITEM = "$$.Map.Item.Value";

/** What plan-run tells of the first round, and close-round of each that follows. */
const NEXT = "$.rounds.next";

/** The longest run: EventBridge starts it with the S3 event of `runs/<run>/run.yaml`. */
const RUN_TIMEOUT = Duration.days(30);
const ROUND_TIMEOUT = Duration.days(8);

/**
 * A run: plan, map vocabularies, baselines, rounds of the run and of its variants until close-round names no further one, publish.
 * Whatever fails ends in fail-run.
 */
export class RunMachine extends Construct {
  readonly machine: StateMachine;

  constructor(
    scope: Construct,
    id: string,
    props: { stages: StageStates; round: IStateMachine; settings: DeploymentSettings },
  ) {
    super(scope, id);
    const { stages, settings } = props;
    const failed = this.failed(stages);
    const caught = <S extends TaskStateBase | MapState>(state: S): S => {
      state.addCatch(failed, { errors: ["States.ALL"], resultPath: "$.caught" });
      return state;
    };

    const publish = caught(stages.lambda(this, "PublishRun", "publish-run", { run: RUN }));
    const runRound = caught(this.runRound(props.round));
    const rounds = runRound.next(
      new Choice(this, "WasLastRound")
        .when(Condition.booleanEquals("$.rounds.done", true), publish.next(new Succeed(this, "RunSucceeded")))
        .otherwise(runRound),
    );
    const start = this.takeRun();
    const work = caught(this.mapVocabularies(stages))
      .next(caught(this.runBaselines(stages)))
      .next(this.firstRound())
      .next(rounds);
    start.next(caught(this.plan(stages))).next(this.unlessTaken(work));
    const definition = this.takeKey().next(this.refuseOtherKeys(start));
    this.machine = new HouseMachine(this, "Machine", {
      name: settings.names.runMachine,
      definition,
      timeout: RUN_TIMEOUT,
      comment: "FedMKT: one run",
      settings,
    });
    for (const statement of stages.startsWorkers()) this.machine.addToRolePolicy(statement);
  }

  /** From the S3 event: where the file lies, and of how many parts its key is. */
  private takeKey(): Pass {
    const key = JsonPath.stringAt("$.detail.object.key");
    return new Pass(this, "TakeKey", {
      parameters: {
        bucket: JsonPath.stringAt("$.detail.bucket.name"),
        key,
        parts: JsonPath.arrayLength(JsonPath.stringSplit(key, "/")),
      },
    });
  }

  /** The rule's `*` spans slashes. What lies deeper belongs to a run, but is not its spec: it must not become its failure. */
  private refuseOtherKeys(start: IChainable): IChainable {
    return new Choice(this, "IsRunFile")
      .when(
        Condition.and(Condition.numberEquals("$.parts", 3), Condition.stringMatches("$.key", controlKeys.spec("*"))),
        start,
      )
      .otherwise(
        new Fail(this, "KeyRefused", {
          error: "InvalidInputError",
          cause: `a run starts with the upload of ${controlKeys.spec("<run>")}; this key is another`,
        }),
      );
  }

  /** The run's name is the second part of the key. */
  private takeRun(): Pass {
    return new Pass(this, "TakeRun", {
      parameters: {
        run: JsonPath.arrayGetItem(JsonPath.stringSplit(JsonPath.stringAt("$.key"), "/"), 1),
        bucket: JsonPath.stringAt("$.bucket"),
        key: JsonPath.stringAt("$.key"),
        failure: { Error: "Unknown", Cause: "no cause was given" },
      },
    });
  }

  private plan(stages: StageStates) {
    return stages.lambda(
      this,
      "PlanRun",
      "plan-run",
      { bucket: JsonPath.stringAt("$.bucket"), key: JsonPath.stringAt("$.key"), execution: JsonPath.executionId },
      {
        resultSelector: {
          taken: JsonPath.objectAt("$.Payload.taken"),
          machine: JsonPath.objectAt("$.Payload.machine"),
        },
        resultPath: "$.plan",
      },
    );
  }

  /** The same upload twice starts two executions: the second ends here, and it is no failure. */
  private unlessTaken(work: IChainable): IChainable {
    return new Choice(this, "IsTaken")
      .when(
        Condition.isString("$.plan.taken"),
        new Succeed(this, "AlreadyTaken", { comment: "another execution has this run" }),
      )
      .otherwise(work);
  }

  private mapVocabularies(stages: StageStates): MapState {
    return new MapState(this, "MapVocabularies", {
      itemsPath: "$.plan.machine.maps",
      itemSelector: {
        run: RUN,
        source: JsonPath.stringAt(`${ITEM}.source`),
        target: JsonPath.stringAt(`${ITEM}.target`),
      },
      resultPath: JsonPath.DISCARD,
    }).itemProcessor(
      stages.lambda(this, "MapVocabulary", "map-vocabulary", {
        run: RUN,
        source: JsonPath.stringAt("$.source"),
        target: JsonPath.stringAt("$.target"),
      }),
    );
  }

  private runBaselines(stages: StageStates): MapState {
    return new MapState(this, "RunBaselines", {
      itemsPath: "$.plan.machine.baselines",
      itemSelector: {
        compute: JsonPath.stringAt(`${ITEM}.compute`),
        party: JsonPath.stringAt(`${ITEM}.party`),
        execution: JsonPath.executionName,
        job: {
          stage: "run-baseline",
          run: RUN,
          party: JsonPath.stringAt(`${ITEM}.party`),
          baseline: JsonPath.stringAt(`${ITEM}.baseline`),
        },
      },
      maxConcurrency: WORKERS_AT_A_TIME,
      resultPath: JsonPath.DISCARD,
    }).itemProcessor(stages.worker(this, "RunBaseline", "run-baseline"));
  }

  /** A failed round is not retried: what can be, was inside, and the parent only ever sees `States.TaskFailed`. */
  private runRound(round: IStateMachine): StepFunctionsStartExecution {
    const state = new StepFunctionsStartExecution(this, "RunRound", {
      stateMachine: round,
      integrationPattern: IntegrationPattern.RUN_JOB,
      associateWithParent: true,
      input: TaskInput.fromObject({
        execution: JsonPath.executionName,
        run: JsonPath.stringAt(`${NEXT}.run`),
        round: JsonPath.numberAt(`${NEXT}.round`),
        direction: JsonPath.stringAt(`${NEXT}.direction`),
        aggregation: JsonPath.stringAt(`${NEXT}.aggregation`),
        begun: JsonPath.objectAt(`${NEXT}.begun`),
        members: JsonPath.objectAt(`${NEXT}.members`),
      }),
      taskTimeout: Timeout.duration(ROUND_TIMEOUT),
      resultSelector: { done: JsonPath.objectAt("$.Output.done"), next: JsonPath.objectAt("$.Output.next") },
      resultPath: "$.rounds",
    });
    retryService(state, RETRYABLE_STEP_FUNCTIONS_ERRORS);
    return state;
  }

  /** Leaves the plan behind: what a round names of it may take most of what a state holds. */
  private firstRound(): Pass {
    return new Pass(this, "FirstRound", {
      parameters: {
        run: RUN,
        rounds: { done: false, next: JsonPath.objectAt("$.plan.machine.first") },
        failure: JsonPath.objectAt("$.failure"),
      },
    });
  }

  /** Writes down why, then fails the execution with the same error. A cause may be absent (time-outs), hence the merge. */
  private failed(stages: StageStates): IChainable {
    const gather = new Pass(this, "GatherFailure", {
      parameters: {
        run: RUN,
        failure: JsonPath.jsonMerge(JsonPath.objectAt("$.failure"), JsonPath.objectAt("$.caught")),
      },
    });
    const record = stages.lambda(this, "FailRun", "fail-run", {
      run: RUN,
      error: JsonPath.stringAt("$.failure.Error"),
      cause: JsonPath.stringAt("$.failure.Cause"),
      execution: JsonPath.executionId,
    });
    const end = new Fail(this, "RunFailed", { errorPath: "$.failure.Error", causePath: "$.failure.Cause" });
    // the run fails with its own error even where the note could not be written
    record.addCatch(end, { errors: ["States.ALL"], resultPath: "$.recording" });
    return gather.next(record).next(end);
  }
}
