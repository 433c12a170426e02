import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { parseJob } from "../../gpu-workers/src/parse-job.ts";
import { alignShardMessage } from "../../shared/src/contracts/job.ts";
import { type LambdaStageName, type PlannedRun, STAGES } from "../../shared/src/contracts/stages.ts";
import { executeDefinition } from "../support/execute-definition.ts";
import { definitionOf, propertiesOf, synthesizeTemplates } from "../support/templates.ts";

const { pipeline } = synthesizeTemplates();
const run = definitionOf(pipeline, "run");
const round = definitionOf(pipeline, "round");
const event = JSON.parse(readFileSync(new URL("../../events/run/run-uploaded.json", import.meta.url), "utf8"));
const handlers = new Map(
  propertiesOf(pipeline, "AWS::Lambda::Function").map(([id, { Handler }]) => [id, String(Handler)]),
);

const RUN = "harbour-and-forest";
const plan: PlannedRun = {
  run: RUN,
  round: 1,
  clients: [{ id: "harbour" }, { id: "forest" }],
  parties: [{ id: "server" }, { id: "harbour" }, { id: "forest" }],
  maps: [
    { source: "server", target: "harbour" },
    { source: "harbour", target: "server" },
  ],
  toServer: [
    { source: "harbour", target: "server", shard: 0 },
    { source: "forest", target: "server", shard: 0 },
  ],
  toClients: [{ source: "server", target: "harbour", shard: 0 }],
  baselines: [{ party: "harbour", baseline: "standalone+public" }],
  aggregation: "none",
};

/** Both machines with every stage's input checked by the table; `fail` may throw in a state's place. */
function federation(
  options: { rounds?: number; key?: string; plan?: Partial<PlannedRun>; fail?: (state: string) => void } = {},
) {
  const done: string[] = [];
  const inputs: unknown[] = [];

  async function lambda({ FunctionName, Payload }: Record<string, unknown>): Promise<unknown> {
    const id = String(FunctionName).split(":").at(-1)!;
    const stage = handlers.get(id)!.replace(".handler", "") as LambdaStageName;
    const input = STAGES[stage].input.parse(Payload) as { run: string; round: number };
    inputs.push({ stage, ...input });
    if (stage === "plan-run") return { ...plan, ...options.plan };
    if (stage === "close-round") return { ...input, done: input.round === (options.rounds ?? 2) };
    return {};
  }

  async function work(state: string, parameters: Record<string, unknown>): Promise<unknown> {
    done.push(state);
    options.fail?.(state);
    if ("Payload" in parameters) return { StatusCode: 200, Payload: await lambda(parameters) };
    if ("MessageBody" in parameters)
      inputs.push({ stage: "align-shard", ...alignShardMessage.parse(parameters.MessageBody) });
    else if ("StateMachineArn" in parameters) return { Output: await executeDefinition(round, parameters.Input, work) };
    else {
      const [{ Environment }] = (parameters as never as Overrides).Overrides.ContainerOverrides;
      const variables = Object.fromEntries(Environment.map(({ Name, Value }) => [Name, Value]));
      expect(variables.FEDMKT_TASK_TOKEN).toBe("AQCE-token");
      inputs.push(parseJob(variables.FEDMKT_JOB));
    }
    return { manifest: "runs/manifest.json" };
  }

  return { done, inputs, start: () => executeDefinition(run, uploaded(options.key), work) };
}

interface Overrides {
  Overrides: { ContainerOverrides: [{ Environment: { Name: string; Value: string }[] }] };
}
/** The event that S3 sends, of another key where one is given. */
const uploaded = (key: string = event.detail.object.key) => ({
  ...event,
  detail: { ...event.detail, object: { ...event.detail.object, key } },
});
const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });
const count = (names: string[], name: string): number => names.filter((one) => one === name).length;

describe("the deployed machines, interpreted", () => {
  it("run a federation from the uploaded file to its publication, every stage with an input that its contract takes", async () => {
    const { start, done, inputs } = federation();
    await start();
    expect(done.slice(0, 4)).toEqual(["PlanRun", "MapVocabulary", "MapVocabulary", "RunBaseline"]);
    expect(done.at(-1)).toBe("PublishRun");
    expect(count(done, "RunRound")).toBe(2);
    expect(count(done, "ClientTrain")).toBe(4);
    expect(count(done, "AlignShardForServer")).toBe(4);
    expect(count(done, "ClientDistil")).toBe(4);
    expect(count(done, "Evaluate")).toBe(6);
    expect(inputs).toContainEqual({ stage: "plan-run", bucket: "fedmkt-control", key: `runs/${RUN}/run.yaml` });
    expect(inputs).toContainEqual({ stage: "client-distil", run: RUN, round: 2, party: "forest" });
    expect(inputs).toContainEqual({ stage: "select-knowledge", run: RUN, round: 2, target: "server" });
  });

  it("let the server extract by itself in the first round alone: later its distillation has done it", async () => {
    const { start, done } = federation({ rounds: 3 });
    await start();
    expect(count(done, "ServerExtract")).toBe(1);
    expect(count(done, "ServerDistil")).toBe(3);
  });

  it("keep a round's order: learn, align, distil the server, align, distil the clients, evaluate, close", async () => {
    const { start, done } = federation({ rounds: 1 });
    await start();
    const order = ["ClientTrain", "AlignShardForServer", "SelectForServer", "ServerDistil", "AlignShardForClient"];
    const places = [...order, "SelectForClient", "ClientDistil", "Evaluate", "CloseRound"].map((name) =>
      done.indexOf(name),
    );
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
  });

  it("average adapters only where the run asks for it", async () => {
    const without = federation();
    await without.start();
    expect(count(without.done, "AverageAdapters")).toBe(0);
    const averaged = federation({ plan: { aggregation: "fedavg" } });
    await averaged.start();
    expect(count(averaged.done, "AverageAdapters")).toBe(2);
  });

  it("run without baselines, too", async () => {
    const { start, done } = federation({ plan: { baselines: [] } });
    await start();
    expect(count(done, "RunBaseline")).toBe(0);
    expect(done.at(-1)).toBe("PublishRun");
  });

  it("try again what is transient, and only that", async () => {
    let failures = 2;
    const transient = federation({
      rounds: 1,
      fail: (state) => {
        if (state === "ServerDistil" && failures-- > 0) throw named("TransientError", "a spot machine was taken away");
      },
    });
    await transient.start();
    expect(count(transient.done, "ServerDistil")).toBe(3);

    let refusals = 8;
    const throttled = federation({
      rounds: 1,
      fail: (state) => {
        if (state === "ServerDistil" && refusals-- > 0) throw named("ECS.AmazonECSException", "Rate exceeded");
      },
    });
    await throttled.start();
    expect(count(throttled.done, "ServerDistil")).toBe(9);

    const invalid = federation({
      fail: (state) => {
        if (state === "ServerDistil") throw named("InvalidInputError", "server: model.safetensors is truncated");
      },
    });
    await expect(invalid.start()).rejects.toThrow();
    expect(count(invalid.done, "ServerDistil")).toBe(1);
  });

  it("end a failed run in fail-run, with the run's name and the error, and fail with that error", async () => {
    const { start, done, inputs } = federation({
      fail: (state) => {
        if (state === "PlanRun") throw named("InvalidInputError", "rounds: expected a number");
      },
    });
    await expect(start()).rejects.toMatchObject({ name: "InvalidInputError" });
    expect(done).toEqual(["PlanRun", "FailRun"]);
    expect(inputs).toEqual([
      {
        stage: "fail-run",
        run: RUN,
        error: "InvalidInputError",
        cause: expect.stringContaining("rounds: expected a number"),
        planned: false,
      },
    ]);
  });

  it.each(["PublishRun", "ClientTrain"])("say that the failing run had its plan where %s fails", async (failing) => {
    const { start, inputs } = federation({
      rounds: 2,
      fail: (state) => {
        if (state === failing) throw named("InvalidInputError", "no adapters");
      },
    });
    await expect(start()).rejects.toThrow();
    expect(inputs.at(-1)).toMatchObject({ stage: "fail-run", run: RUN, planned: true });
  });

  it.each([`runs/${RUN}/parties/harbour/run.yaml`, `runs/${RUN}/run.yaml/run.yaml`, "runs/run.yaml", "run.yaml"])(
    "refuse the upload of %s without touching any run",
    async (key) => {
      const { start, done } = federation({ key });
      await expect(start()).rejects.toMatchObject({ name: "InvalidInputError" });
      expect(done).toEqual([]);
    },
  );

  it("fail with the run's own error even where the note of it could not be written", async () => {
    const { start } = federation({
      fail: (state) => {
        if (state === "PublishRun") throw named("InvariantError", "no adapters");
        if (state === "FailRun") throw named("InvalidInputError", "access denied");
      },
    });
    await expect(start()).rejects.toMatchObject({ name: "InvariantError" });
  });
});
