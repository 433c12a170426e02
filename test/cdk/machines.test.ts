import { mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "@jest/globals";
import { Template } from "aws-cdk-lib/assertions";
import { deploymentSettings } from "../../cdk/lib/deployment-settings.ts";
import { PipelineStack } from "../../cdk/lib/pipeline-stack.ts";
import { buildApp } from "../../cdk/lib/synthesize.ts";
import { matches } from "../../cli/src/local/events-rules.ts";
import {
  RETRYABLE_ECS_ERRORS,
  RETRYABLE_ERRORS,
  RETRYABLE_LAMBDA_ERRORS,
  RETRYABLE_SQS_ERRORS,
  RETRYABLE_STEP_FUNCTIONS_ERRORS,
  STAGES,
  type StageName,
} from "../../shared/src/contracts/stages.ts";
import {
  definitionOf,
  deployTemplates,
  propertiesOf,
  type State,
  statesOf,
  synthesizeTemplates,
} from "../support/templates.ts";

const validate = createRequire(import.meta.url)("asl-validator") as (
  definition: object,
  options?: { checkPaths?: boolean; checkArn?: boolean },
) => { isValid: boolean; errors: unknown[] };

const templates = synthesizeTemplates();
const { pipeline } = templates;
const deployed = deployTemplates(templates);
const run = definitionOf(deployed, "run");
const round = definitionOf(deployed, "round");
const all = [...statesOf(run), ...statesOf(round)];
const tasks = all.filter(([, state]) => state.Type === "Task");
const resourceOf = (state: State): string => String(state.Resource).replace(/^.*:states:::/, "");
const retriedBy = (state: State): string[] =>
  ((state.Retry ?? []) as { ErrorEquals: string[] }[]).flatMap(({ ErrorEquals }) => ErrorEquals);

describe.each([
  ["run", run],
  ["round", round],
])("the %s machine", (_, definition) => {
  it("is valid Amazon States Language", () => {
    expect(validate(structuredClone(definition), { checkPaths: true, checkArn: true }).errors).toEqual([]);
  });

  it("is written in JSONPath with inline maps, which is what runs locally", () => {
    for (const [, state] of statesOf(definition)) {
      expect(state.QueryLanguage).toBeUndefined();
      if (state.Type === "Map") expect(state.ItemProcessor).toMatchObject({ ProcessorConfig: { Mode: "INLINE" } });
    }
  });
});

/** Worker stages of any party: in the cluster or at a site. */
const ANYWHERE = ["ClientDistil", "ClientTrain", "Evaluate", "RunBaseline"];
const HOUR = 3600;
const isFirstTry = (name: string): boolean => name.endsWith("OnSpot");
const ERRORS_OF_SERVICE: Record<string, readonly string[]> = {
  "lambda:invoke": RETRYABLE_LAMBDA_ERRORS,
  "ecs:runTask.waitForTaskToken": RETRYABLE_ECS_ERRORS,
  "sqs:sendMessage.waitForTaskToken": RETRYABLE_SQS_ERRORS,
  "states:startExecution.sync:2": RETRYABLE_STEP_FUNCTIONS_ERRORS,
};
type Json = Record<string, unknown>;

describe("the states of both machines", () => {
  it("have names that are unique over both, since people see them side by side", () => {
    const names = all.map(([name]) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("end with their machines: a run after a month, a round before the state that waits for it gives up", () => {
    expect(run.TimeoutSeconds).toBe(30 * 24 * HOUR);
    expect(round.TimeoutSeconds).toBe(7 * 24 * HOUR);
    const waiting = new Map(tasks).get("RunRound")!;
    expect(Number(waiting.TimeoutSeconds)).toBeGreaterThan(round.TimeoutSeconds);
    expect(Number(waiting.TimeoutSeconds)).toBeLessThan(run.TimeoutSeconds);
  });

  it("end every task after a time", () => {
    expect(tasks.filter(([, state]) => typeof state.TimeoutSeconds !== "number").map(([name]) => name)).toEqual([]);
  });

  it("give every state that waits for a token a heartbeat shorter than its time-out", () => {
    const waiting = tasks.filter(([, state]) => resourceOf(state).endsWith(".waitForTaskToken"));
    expect(waiting.map(([name]) => name).sort()).toEqual(
      [
        ...["AlignShardForClient", "AlignShardForServer"],
        ...["ServerDistil", "ServerExtract"].flatMap((name) => [`${name}OnDemand`, `${name}OnSpot`]),
        ...ANYWHERE.flatMap((name) => [`${name}AtSite`, `${name}OnDemand`, `${name}OnSpot`]),
      ].sort(),
    );
    for (const [, state] of waiting) expect(Number(state.HeartbeatSeconds)).toBeLessThan(Number(state.TimeoutSeconds));
  });

  it("retry what says of itself that it may pass, and trouble of the service behind them", () => {
    for (const [name, state] of tasks.filter(([name]) => !isFirstTry(name))) {
      const service = ERRORS_OF_SERVICE[resourceOf(state)];
      // a round that failed has tried again inside, whatever could be
      const expected = name === "RunRound" ? service : [...RETRYABLE_ERRORS, ...service];
      expect([name, retriedBy(state)]).toEqual([name, expected]);
    }
  });

  it("give a spot machine one try, after which the same errors lead on demand", () => {
    const spot = tasks.filter(([name]) => isFirstTry(name));
    expect(spot.map(([name]) => name)).toHaveLength(ANYWHERE.length + 2);
    for (const [name, state] of spot)
      expect([name, state.Retry, state.Catch]).toEqual([
        name,
        undefined,
        [
          {
            ErrorEquals: [...RETRYABLE_ERRORS, ...RETRYABLE_ECS_ERRORS],
            ResultPath: null,
            Next: name.replace("OnSpot", "OnDemand"),
          },
        ],
      ]);
  });

  it("differ between spot and on demand in the machine alone", () => {
    const states = new Map(tasks);
    for (const [name, spot] of tasks.filter(([name]) => isFirstTry(name))) {
      const onDemand = states.get(name.replace("OnSpot", "OnDemand"))!;
      const text = JSON.stringify(spot.Parameters)
        .replace('"FARGATE_SPOT"', '"FARGATE"')
        .replace('"FEDMKT_SPOT","Value":"true"', '"FEDMKT_SPOT","Value":"false"');
      expect([name, JSON.parse(text)]).toEqual([name, onDemand.Parameters]);
      expect([name, JSON.stringify(spot.Parameters)]).not.toEqual([name, JSON.stringify(onDemand.Parameters)]);
    }
  });

  it("back off between tries, with jitter, and have more patience with a service than with our own work", () => {
    for (const [, state] of tasks)
      for (const retry of (state.Retry ?? []) as { ErrorEquals: string[] }[]) {
        const ours = retry.ErrorEquals.includes("TransientError");
        const patience = ours ? { MaxAttempts: 3, MaxDelaySeconds: 60 } : { MaxAttempts: 8, MaxDelaySeconds: 300 };
        expect(retry).toMatchObject({ BackoffRate: 2, JitterStrategy: "FULL", ...patience });
      }
  });

  it("let a site be switched off overnight, and end its job before the round ends", () => {
    const atSites = tasks.filter(([name]) => name.endsWith("AtSite"));
    expect(atSites).toHaveLength(ANYWHERE.length);
    for (const [, state] of atSites) {
      expect(state.HeartbeatSeconds).toBe(6 * HOUR);
      expect(Number(state.TimeoutSeconds)).toBeLessThan(round.TimeoutSeconds);
    }
  });

  it("start every job by its party's name, in the name of the run's execution", () => {
    const started = tasks.filter(([, state]) => resourceOf(state).startsWith("ecs:"));
    for (const [, { Parameters }] of started) {
      const at = /^\$(\.server\.(extract|distil))?\.execution$/.exec(
        String((Parameters as never as Json)["StartedBy.$"]),
      )!;
      expect(at).not.toBeNull();
      const place = at[0].replace(".execution", "");
      expect((Parameters as never as Json)["TaskDefinition.$"]).toBe(
        `States.Format('fedmkt-dev-party-{}', ${place}.party)`,
      );
    }
  });

  it("start a bounded number of workers at a time, whatever the number of parties", () => {
    const maps = all.filter(([, state]) => state.Type === "Map");
    const bounded = maps.filter(([, state]) => state.MaxConcurrency === 10).map(([name]) => name);
    expect(bounded.sort()).toEqual(["DistilClients", "EvaluateParties", "RunBaselines", "TrainClients"]);
  });

  it("use only services that run locally too", () => {
    const used = new Set(tasks.map(([, state]) => resourceOf(state)));
    expect([...used].sort()).toEqual([
      "ecs:runTask.waitForTaskToken",
      "lambda:invoke",
      "sqs:sendMessage.waitForTaskToken",
      "states:startExecution.sync:2",
    ]);
  });
});

describe("the table of stages", () => {
  const functions = propertiesOf(pipeline, "AWS::Lambda::Function");

  it.each(Object.keys(STAGES) as StageName[])("has a state for %s", (stage) => {
    if (STAGES[stage].host === "worker") expect(JSON.stringify([run, round])).toContain(`"stage":"${stage}"`);
    else if (stage === "align-shard") expect(tasks.some(([, state]) => state.Comment === stage)).toBe(true);
    else {
      const invoked = deployed.find(({ properties }) => properties.Handler === `${stage}.handler`)!;
      expect(tasks.some(([, { Parameters }]) => (Parameters as Json).FunctionName === invoked.arn)).toBe(true);
    }
  });

  it("has a function for every Lambda stage, and beside them those for dead letters and left tasks", () => {
    const lambdas = Object.keys(STAGES).filter((stage) => STAGES[stage as StageName].host === "lambda");
    expect(functions.map(([, { Handler }]) => Handler).sort()).toEqual(
      [...lambdas, "fail-task", "stop-tasks"].map((name) => `${name}.handler`).sort(),
    );
  });
});

describe("a run's failure", () => {
  it("is caught from every state of the run machine that can fail and ends in fail-run and Fail", () => {
    const failing = Object.entries(run.States).filter(([, { Type }]) => ["Task", "Map", "Parallel"].includes(Type));
    for (const [name, state] of failing)
      expect([name, state.Catch]).toEqual([
        name,
        [
          name === "FailRun"
            ? { ErrorEquals: ["States.ALL"], ResultPath: "$.recording", Next: "RunFailed" }
            : { ErrorEquals: ["States.ALL"], ResultPath: "$.caught", Next: "GatherFailure" },
        ],
      ]);
    expect(run.States.RunFailed).toEqual({ Type: "Fail", ErrorPath: "$.failure.Error", CausePath: "$.failure.Cause" });
  });
});

describe("a run that another execution has", () => {
  it("ends well, before anything is done", () => {
    expect(run.States.IsTaken).toEqual({
      Type: "Choice",
      Choices: [{ Variable: "$.plan.taken", IsString: true, Next: "AlreadyTaken" }],
      Default: "MapVocabularies",
    });
    expect(run.States.AlreadyTaken).toMatchObject({ Type: "Succeed" });
  });
});

const ruleOf = (id: string) =>
  propertiesOf(pipeline, "AWS::Events::Rule").find(([logicalId]) => logicalId.startsWith(id))![1];

describe("every rule", () => {
  it("tries for hours to deliver, then keeps the event as a dead letter", () => {
    const rules = propertiesOf(pipeline, "AWS::Events::Rule");
    expect(rules).toHaveLength(3);
    for (const [, { Targets }] of rules)
      for (const target of Targets as Json[])
        expect(target).toMatchObject({
          DeadLetterConfig: { Arn: { "Fn::GetAtt": [expect.stringMatching(/^EventsDeadLetters/), "Arn"] } },
          RetryPolicy: { MaximumEventAgeInSeconds: 6 * HOUR, MaximumRetryAttempts: 24 },
        });
  });
});

describe("the rule that starts a run", () => {
  const event = JSON.parse(readFileSync(new URL("../../events/run/run-uploaded.json", import.meta.url), "utf8"));
  const rule = ruleOf("EventsRunUploaded");
  const pattern = JSON.parse(
    JSON.stringify(rule.EventPattern, (key, value) => (key === "name" ? [event.detail.bucket.name] : value)),
  );
  const withKey = (key: string) => ({ ...event, detail: { ...event.detail, object: { ...event.detail.object, key } } });

  it("matches the event that S3 sends for an uploaded run.yaml", () => {
    expect(matches(pattern, event)).toBe(true);
  });

  it.each(["runs/a/plan.json", "runs/a/status.json", "material/run.yaml", "runs/run.yaml"])(
    "leaves %s alone",
    (key) => {
      expect(matches(pattern, withKey(key))).toBe(false);
    },
  );

  it("leaves other events and other buckets alone", () => {
    expect(matches(pattern, { ...event, "detail-type": "Object Deleted" })).toBe(false);
    expect(matches(pattern, { ...event, detail: { ...event.detail, bucket: { name: "another" } } })).toBe(false);
  });

  it("starts the run machine and nothing else", () => {
    expect(rule.Targets).toHaveLength(1);
    expect(JSON.stringify(rule.Targets)).toContain("RunMachine");
  });
});

describe("the rules for the end of a run", () => {
  const event = JSON.parse(readFileSync(new URL("../../events/fail-run/run-timed-out.json", import.meta.url), "utf8"));
  const patternOf = (rule: Json) =>
    JSON.parse(
      JSON.stringify(rule.EventPattern, (key, value) =>
        key === "stateMachineArn" ? [event.detail.stateMachineArn] : value,
      ),
    );
  const withDetail = (detail: object) => ({ ...event, detail: { ...event.detail, ...detail } });
  const [ended, notSucceeded] = [ruleOf("EventsRunEnded"), ruleOf("EventsRunNotSucceeded")];

  it.each(["FAILED", "TIMED_OUT", "ABORTED"])("match the run machine's %s", (status) => {
    expect(matches(patternOf(ended), withDetail({ status }))).toBe(true);
    expect(matches(patternOf(notSucceeded), withDetail({ status }))).toBe(true);
  });

  it("clear up after a success, which is no failure", () => {
    expect(matches(patternOf(ended), withDetail({ status: "SUCCEEDED" }))).toBe(true);
    expect(matches(patternOf(notSucceeded), withDetail({ status: "SUCCEEDED" }))).toBe(false);
  });

  it.each([
    ["stop-tasks", ended, "EventsStopTasks"],
    ["fail-run", notSucceeded, "StagesFailRun"],
  ])("invoke %s of the run machine's executions alone", (_, rule, target) => {
    const pattern = patternOf(rule);
    expect(matches(pattern, withDetail({ status: "RUNNING" }))).toBe(false);
    expect(matches(pattern, withDetail({ status: "FAILED", stateMachineArn: "another" }))).toBe(false);
    expect(matches(pattern, { ...event, source: "aws.s3", "detail-type": "Object Created" })).toBe(false);
    expect(JSON.stringify(rule.EventPattern)).toContain("RunMachine");
    expect(rule.Targets).toHaveLength(1);
    expect(JSON.stringify(rule.Targets)).toContain(target);
    const permissions = propertiesOf(pipeline, "AWS::Lambda::Permission").map(([, permission]) => permission);
    expect(permissions).toContainEqual(
      expect.objectContaining({
        Action: "lambda:InvokeFunction",
        Principal: "events.amazonaws.com",
        FunctionName: { "Fn::GetAtt": [expect.stringContaining(target), "Arn"] },
      }),
    );
  });
});

describe("an environment without spot machines", () => {
  it("starts every job on demand at once", () => {
    const { app, state: stateStack } = buildApp({ bundle: false, outdir: mkdtempSync(path.join(tmpdir(), "fedmkt-")) });
    const settings = { ...deploymentSettings(), spot: false };
    const dear = Template.fromStack(new PipelineStack(app, "dear", { settings, state: stateStack }));
    const deployed = deployTemplates({ ...templates, pipeline: dear });
    const states = (["run", "round"] as const).flatMap((name) => statesOf(definitionOf(deployed, name)));
    const names = states.map(([name]) => name);
    expect(names.filter(isFirstTry)).toEqual([]);
    expect(names.filter((name) => name.endsWith("OnDemand"))).toHaveLength(ANYWHERE.length + 2);
    const where = new Map(states).get("ClientTrainWhere")!;
    expect(where).toMatchObject({ Choices: [{ Next: "ClientTrainAtSite" }], Default: "ClientTrainOnDemand" });
    expect(JSON.stringify(states)).not.toContain('"FARGATE_SPOT"');
  });
});
