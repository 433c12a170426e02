import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, it } from "@jest/globals";
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
import { definitionOf, propertiesOf, type State, statesOf, synthesizeTemplates } from "../support/templates.ts";

const validate = createRequire(import.meta.url)("asl-validator") as (
  definition: object,
  options?: { checkPaths?: boolean; checkArn?: boolean },
) => { isValid: boolean; errors: unknown[] };

const { pipeline } = synthesizeTemplates();
const run = definitionOf(pipeline, "run");
const round = definitionOf(pipeline, "round");
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

describe("the states of both machines", () => {
  it("have names that are unique over both, since people see them side by side", () => {
    const names = all.map(([name]) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("end every task after a time", () => {
    expect(tasks.filter(([, state]) => typeof state.TimeoutSeconds !== "number").map(([name]) => name)).toEqual([]);
  });

  it("give every state that waits for a token a heartbeat shorter than its time-out", () => {
    const waiting = tasks.filter(([, state]) => resourceOf(state).endsWith(".waitForTaskToken"));
    expect(waiting.map(([name]) => name).sort()).toEqual([
      "AlignShardForClient",
      "AlignShardForServer",
      "ClientDistil",
      "ClientTrain",
      "Evaluate",
      "RunBaseline",
      "ServerDistil",
      "ServerExtract",
    ]);
    for (const [, state] of waiting) expect(Number(state.HeartbeatSeconds)).toBeLessThan(Number(state.TimeoutSeconds));
  });

  it("retry what says of itself that it may pass, and trouble of the service behind them", () => {
    const ofService: Record<string, readonly string[]> = {
      "lambda:invoke": RETRYABLE_LAMBDA_ERRORS,
      "ecs:runTask.waitForTaskToken": RETRYABLE_ECS_ERRORS,
      "sqs:sendMessage.waitForTaskToken": RETRYABLE_SQS_ERRORS,
      "states:startExecution.sync:2": RETRYABLE_STEP_FUNCTIONS_ERRORS,
    };
    for (const [name, state] of tasks) {
      const service = ofService[resourceOf(state)];
      // a round that failed has tried again inside, whatever could be
      const expected = name === "RunRound" ? service : [...RETRYABLE_ERRORS, ...service];
      expect([name, retriedBy(state)]).toEqual([name, expected]);
    }
  });

  it("back off between tries, with jitter, and have more patience with a service than with our own work", () => {
    for (const [, state] of tasks)
      for (const retry of state.Retry as { ErrorEquals: string[] }[]) {
        const ours = retry.ErrorEquals.includes("TransientError");
        const patience = ours ? { MaxAttempts: 3, MaxDelaySeconds: 60 } : { MaxAttempts: 8, MaxDelaySeconds: 300 };
        expect(retry).toMatchObject({ BackoffRate: 2, JitterStrategy: "FULL", ...patience });
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
  const invoked = JSON.stringify(tasks.filter(([, state]) => resourceOf(state) === "lambda:invoke"));

  it.each(Object.keys(STAGES) as StageName[])("has a state for %s", (stage) => {
    if (STAGES[stage].host === "worker") expect(JSON.stringify([run, round])).toContain(`"stage":"${stage}"`);
    else if (stage === "align-shard") expect(tasks.some(([, state]) => state.Comment === stage)).toBe(true);
    else {
      const [id] = functions.find(([, { Handler }]) => Handler === `${stage}.handler`)!;
      expect(invoked).toContain(id);
    }
  });

  it("has a function for every Lambda stage, and beside them only the one for dead letters", () => {
    const lambdas = Object.keys(STAGES).filter((stage) => STAGES[stage as StageName].host === "lambda");
    expect(functions.map(([, { Handler }]) => Handler).sort()).toEqual(
      [...lambdas, "fail-shard"].map((name) => `${name}.handler`).sort(),
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

const ruleOf = (id: string) =>
  propertiesOf(pipeline, "AWS::Events::Rule").find(([logicalId]) => logicalId.startsWith(id))![1];

describe("the rule that starts a run", () => {
  const event = JSON.parse(readFileSync(new URL("../../events/run/run-uploaded.json", import.meta.url), "utf8"));
  const rule = ruleOf("RunUploaded");
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

describe("the rule for runs that did not succeed", () => {
  const event = JSON.parse(readFileSync(new URL("../../events/fail-run/run-timed-out.json", import.meta.url), "utf8"));
  const rule = ruleOf("RunEnded");
  const pattern = JSON.parse(
    JSON.stringify(rule.EventPattern, (key, value) =>
      key === "stateMachineArn" ? [event.detail.stateMachineArn] : value,
    ),
  );
  const withDetail = (detail: object) => ({ ...event, detail: { ...event.detail, ...detail } });

  it.each(["FAILED", "TIMED_OUT", "ABORTED"])("matches the run machine's %s", (status) => {
    expect(matches(pattern, withDetail({ status }))).toBe(true);
  });

  it("leaves runs that go on or succeed, other machines and uploads alone", () => {
    for (const status of ["RUNNING", "SUCCEEDED"]) expect(matches(pattern, withDetail({ status }))).toBe(false);
    expect(matches(pattern, withDetail({ stateMachineArn: "another" }))).toBe(false);
    expect(matches(pattern, { ...event, source: "aws.s3", "detail-type": "Object Created" })).toBe(false);
    expect(JSON.stringify(rule.EventPattern)).toContain("RunMachine");
  });

  it("invokes fail-run, which lets EventBridge in", () => {
    expect(JSON.stringify(rule.Targets)).toContain("StagesFailRun");
    const permissions = propertiesOf(pipeline, "AWS::Lambda::Permission").map(([, permission]) => permission);
    expect(permissions).toContainEqual(
      expect.objectContaining({ Action: "lambda:InvokeFunction", Principal: "events.amazonaws.com" }),
    );
  });
});
