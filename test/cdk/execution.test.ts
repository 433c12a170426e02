import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { parseJob } from "../../gpu-workers/src/parse-job.ts";
import { alignShardMessage, jobMessage } from "../../shared/src/contracts/job.ts";
import { type LambdaStageName, type PlannedRound, type PlannedRun, STAGES } from "../../shared/src/contracts/stages.ts";
import { executeDefinition } from "../support/execute-definition.ts";
import { definitionOf, deployTemplates, synthesizeTemplates } from "../support/templates.ts";

const deployed = deployTemplates(synthesizeTemplates());
const run = definitionOf(deployed, "run");
const round = definitionOf(deployed, "round");
const event = JSON.parse(readFileSync(new URL("../../events/run/run-uploaded.json", import.meta.url), "utf8"));
const handlers = new Map(
  deployed
    .filter(({ type }) => type === "AWS::Lambda::Function")
    .map(({ arn, properties }) => [arn, properties.Handler]),
);

/** The execution that the interpreter gives. */
const EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:any:any";
const EXECUTION_NAME = "any";

const RUN = "harbour-and-forest";
const harbour = { id: "harbour", compute: "ecs" } as const;
const forest = { id: "forest", compute: "worker" } as const;
const first: PlannedRound = {
  run: RUN,
  round: 1,
  direction: "both",
  aggregation: "none",
  begun: false,
  members: {
    clients: [harbour, forest],
    parties: [{ id: "server", compute: "ecs" }, harbour, forest],
    toServer: [
      { source: "harbour", shard: 0 },
      { source: "forest", shard: 0 },
    ],
    toClients: [{ target: "harbour", shard: 0 }],
  },
};
const plan: PlannedRun = {
  run: RUN,
  maps: [
    { source: "server", target: "harbour" },
    { source: "harbour", target: "server" },
  ],
  baselines: [{ party: "harbour", compute: "ecs", baseline: "standalone+public" }],
  variants: [],
  first,
};

/** Both machines with every stage's input checked by the table; `fail` may throw in a state's place. */
function federation(
  options: {
    rounds?: number;
    key?: string;
    plan?: Partial<PlannedRun>;
    /** of every round */
    round?: Partial<PlannedRound>;
    /** rounds that follow the run's own */
    more?: PlannedRound[];
    taken?: string;
    fail?: (state: string) => void;
  } = {},
) {
  const done: string[] = [];
  const inputs: unknown[] = [];
  const planned = [
    ...Array.from({ length: options.rounds ?? 2 }, (_, index) => ({ ...first, ...options.round, round: index + 1 })),
    ...(options.more ?? []),
  ];

  async function lambda({ FunctionName, Payload }: Record<string, unknown>): Promise<unknown> {
    const stage = String(handlers.get(String(FunctionName))).replace(".handler", "") as LambdaStageName;
    const input = STAGES[stage].input.parse(Payload) as { run: string; round: number };
    inputs.push({ stage, ...input });
    if (stage === "plan-run") {
      const { taken = null } = options;
      return { run: RUN, taken, machine: taken === null ? { ...plan, first: planned[0], ...options.plan } : null };
    }
    if (stage === "close-round") {
      const next =
        planned[planned.findIndex(({ run, round }) => run === input.run && round === input.round) + 1] ?? null;
      return STAGES["close-round"].output.parse({ ...input, done: next === null, dollars: 0.5, next });
    }
    return {};
  }

  async function work(state: string, parameters: Record<string, unknown>): Promise<unknown> {
    done.push(state);
    options.fail?.(state);
    if ("Payload" in parameters) return { StatusCode: 200, Payload: await lambda(parameters) };
    if ("StateMachineArn" in parameters) return { Output: await executeDefinition(round, parameters.Input, work) };
    if ("MessageBody" in parameters) {
      const { QueueUrl, MessageBody } = parameters as { QueueUrl: string; MessageBody: unknown };
      if (QueueUrl.endsWith("/fedmkt-dev-shards"))
        inputs.push({ stage: "align-shard", ...alignShardMessage.parse(MessageBody) });
      else inputs.push({ ...jobMessage.parse(MessageBody).job, queue: QueueUrl });
    } else {
      const { TaskDefinition, StartedBy, Overrides } = parameters as never as RunTask;
      const variables = Object.fromEntries(
        Overrides.ContainerOverrides[0].Environment.map(({ Name, Value }) => [Name, Value]),
      );
      expect(variables.FEDMKT_TASK_TOKEN).toBe("AQCE-token");
      expect(StartedBy).toBe(EXECUTION_NAME);
      inputs.push({ ...parseJob(variables.FEDMKT_JOB), task: TaskDefinition });
    }
    return { manifest: "runs/manifest.json" };
  }

  return { done, inputs, start: () => executeDefinition(run, uploaded(options.key), work) };
}

interface RunTask {
  TaskDefinition: string;
  StartedBy: string;
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
    expect(done.slice(0, 4)).toEqual(["PlanRun", "MapVocabulary", "MapVocabulary", "RunBaselineOnSpot"]);
    expect(done.at(-1)).toBe("PublishRun");
    expect(count(done, "RunRound")).toBe(2);
    expect(count(done, "ClientTrainOnSpot")).toBe(2);
    expect(count(done, "ClientTrainAtSite")).toBe(2);
    expect(count(done, "AlignShardForServer")).toBe(4);
    expect(count(done, "ClientDistilOnSpot")).toBe(2);
    expect(count(done, "ClientDistilAtSite")).toBe(2);
    expect(count(done, "EvaluateOnSpot")).toBe(4);
    expect(count(done, "EvaluateAtSite")).toBe(2);
    expect(inputs).toContainEqual({
      stage: "plan-run",
      bucket: event.detail.bucket.name,
      key: `runs/${RUN}/run.yaml`,
      execution: EXECUTION,
    });
    expect(inputs).toContainEqual({ stage: "select-knowledge", run: RUN, round: 2, target: "server" });
    expect(inputs).toContainEqual({ stage: "select-knowledge", run: RUN, round: 2, target: "forest" });
  });

  it("start each party's job by the party's own task definition, and at a site put it into the party's own queue", async () => {
    const { start, inputs } = federation({ rounds: 1 });
    await start();
    const job = (stage: string, party: string) => ({ stage, run: RUN, round: 1, party });
    for (const stage of ["client-train", "client-distil", "evaluate"]) {
      expect(inputs).toContainEqual({ ...job(stage, "harbour"), task: "fedmkt-dev-party-harbour" });
      const queue = "https://sqs.us-east-1.amazonaws.com/000000000000/fedmkt-dev-party-forest";
      expect(inputs).toContainEqual({ ...job(stage, "forest"), queue });
    }
    for (const stage of ["server-extract", "server-distil", "evaluate"])
      expect(inputs).toContainEqual({ ...job(stage, "server"), task: "fedmkt-dev-party-server" });
    const { round: _, ...baseline } = job("run-baseline", "harbour");
    expect(inputs).toContainEqual({
      ...baseline,
      baseline: "standalone+public",
      task: "fedmkt-dev-party-harbour",
    });
  });

  it("end at once, and well, where another execution has the run", async () => {
    const { start, done } = federation({ taken: `${EXECUTION}-before` });
    await start();
    expect(done).toEqual(["PlanRun"]);
  });

  it("let the server extract by itself in the first round alone: later its distillation has done it", async () => {
    const { start, done } = federation({ rounds: 3 });
    await start();
    expect(count(done, "ServerExtractOnSpot")).toBe(1);
    expect(count(done, "ServerDistilOnSpot")).toBe(3);
  });

  it("keep a round's order: learn, align, distil the server, align, distil the clients, evaluate, close", async () => {
    const { start, done } = federation({ rounds: 1 });
    await start();
    const order = [
      "ClientTrainOnSpot",
      "AlignShardForServer",
      "SelectForServer",
      "ServerDistilOnSpot",
      "AlignShardForClient",
    ];
    const places = [...order, "SelectForClient", "ClientDistilOnSpot", "EvaluateOnSpot", "CloseRound"].map((name) =>
      done.indexOf(name),
    );
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
  });

  it("average adapters only where the run asks for it", async () => {
    const without = federation();
    await without.start();
    expect(count(without.done, "AverageAdapters")).toBe(0);
    const averaged = federation({ round: { aggregation: "fedavg" } });
    await averaged.start();
    expect(count(averaged.done, "AverageAdapters")).toBe(2);
  });

  it("have each round's own members take part", async () => {
    const members = {
      clients: [forest],
      parties: [{ id: "server", compute: "ecs" } as const, forest],
      toServer: [{ source: "forest", shard: 0 }],
      toClients: [{ target: "forest", shard: 0 }],
    };
    const { start, done, inputs } = federation({ rounds: 1, more: [{ ...first, round: 2, members }] });
    await start();
    expect(count(done, "ClientTrainOnSpot")).toBe(1);
    expect(count(done, "ClientTrainAtSite")).toBe(2);
    expect(inputs).toContainEqual(
      expect.objectContaining({ stage: "align-shard", round: 2, source: "server", target: "forest" }),
    );
    expect(inputs).not.toContainEqual(expect.objectContaining({ round: 2, party: "harbour" }));
    expect(inputs).not.toContainEqual(expect.objectContaining({ round: 2, source: "harbour" }));
  });

  it("leave the server alone but for what it knew as it came, where clients alone learn", async () => {
    const members = { ...first.members, parties: first.members.clients, toServer: [] };
    const { start, done } = federation({ round: { direction: "to-clients", members } });
    await start();
    expect(count(done, "ServerExtractOnSpot")).toBe(1);
    for (const name of ["AlignShardForServer", "SelectForServer", "ServerDistilOnSpot"])
      expect([name, count(done, name)]).toEqual([name, 0]);
    expect(count(done, "AlignShardForClient")).toBe(2);
    expect(count(done, "SelectForClient")).toBe(4);
  });

  it("transfer nothing where nobody learns from others", async () => {
    const members = { ...first.members, parties: first.members.clients, toServer: [], toClients: [] };
    const { start, done } = federation({ round: { direction: "none", aggregation: "fedavg", members } });
    await start();
    expect(done.filter((name) => /^(Server|Align|Select)/.test(name))).toEqual([]);
    expect(count(done, "ClientDistilOnSpot")).toBe(2);
    expect(count(done, "AverageAdapters")).toBe(2);
  });

  it("go on with the rounds of a variant, whose first one begins after what it shares with the run", async () => {
    const variant = { ...first, run: `${RUN}--one-way`, direction: "to-clients" as const };
    const { start, done, inputs } = federation({
      rounds: 1,
      more: [
        { ...variant, begun: true },
        { ...variant, round: 2 },
      ],
    });
    await start();
    expect(count(done, "RunRound")).toBe(3);
    const ofVariant = inputs.filter((input) => (input as { run?: string }).run === variant.run);
    expect(ofVariant).not.toContainEqual(expect.objectContaining({ stage: "client-train", round: 1 }));
    expect(ofVariant).not.toContainEqual(expect.objectContaining({ stage: "server-extract" }));
    expect(ofVariant).toContainEqual(expect.objectContaining({ stage: "client-distil", round: 1, party: "harbour" }));
    expect(ofVariant).toContainEqual(expect.objectContaining({ stage: "client-train", round: 2, party: "harbour" }));
    expect(inputs.at(-1)).toEqual({ stage: "publish-run", run: RUN });
  });

  it("run without baselines, too", async () => {
    const { start, done } = federation({ plan: { baselines: [] } });
    await start();
    expect(count(done, "RunBaseline")).toBe(0);
    expect(done.at(-1)).toBe("PublishRun");
  });

  it("try again what is transient, and only that", async () => {
    let failures = 3;
    const transient = federation({
      rounds: 1,
      fail: (state) => {
        if (state.startsWith("ServerDistil") && failures-- > 0)
          throw named("TransientError", "a machine was taken away");
      },
    });
    await transient.start();
    expect(count(transient.done, "ServerDistilOnSpot")).toBe(1);
    expect(count(transient.done, "ServerDistilOnDemand")).toBe(3);

    let refusals = 9;
    const throttled = federation({
      rounds: 1,
      fail: (state) => {
        if (state.startsWith("ServerDistil") && refusals-- > 0) throw named("ECS.AmazonECSException", "Rate exceeded");
      },
    });
    await throttled.start();
    expect(count(throttled.done, "ServerDistilOnSpot")).toBe(1);
    expect(count(throttled.done, "ServerDistilOnDemand")).toBe(9);

    const invalid = federation({
      fail: (state) => {
        if (state.startsWith("ServerDistil"))
          throw named("InvalidInputError", "server: model.safetensors is truncated");
      },
    });
    await expect(invalid.start()).rejects.toThrow();
    expect(count(invalid.done, "ServerDistilOnSpot")).toBe(1);
    expect(count(invalid.done, "ServerDistilOnDemand")).toBe(0);
  });

  it.each(["States.HeartbeatTimeout", "States.Timeout", "AmazonECS.Unknown"])(
    "go on after a spot machine's %s with what comes next, whichever machine did the job",
    async (error) => {
      const { start, done } = federation({
        rounds: 1,
        fail: (state) => {
          if (state.endsWith("OnSpot")) throw named(error, "no word of the worker");
        },
      });
      await start();
      for (const name of ["RunBaseline", "ClientTrain", "ServerExtract", "ServerDistil", "ClientDistil"])
        expect([name, count(done, `${name}OnDemand`)]).toEqual([name, 1]);
      expect(done.at(-1)).toBe("PublishRun");
    },
  );

  it("put a job into a site's queue again after a night without a word", async () => {
    let nights = 2;
    const { start, done } = federation({
      rounds: 1,
      fail: (state) => {
        if (state === "ClientTrainAtSite" && nights-- > 0) throw named("States.HeartbeatTimeout", "");
      },
    });
    await start();
    expect(count(done, "ClientTrainAtSite")).toBe(3);
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
        execution: EXECUTION,
      },
    ]);
  });

  it.each(["PublishRun", "ClientTrainOnSpot"])("name the execution whose run it is where %s fails", async (failing) => {
    const { start, inputs } = federation({
      rounds: 2,
      fail: (state) => {
        if (state === failing) throw named("InvalidInputError", "no adapters");
      },
    });
    await expect(start()).rejects.toThrow();
    expect(inputs.at(-1)).toMatchObject({ stage: "fail-run", run: RUN, execution: EXECUTION });
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
