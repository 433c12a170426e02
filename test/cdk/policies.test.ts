import { describe, expect, it } from "@jest/globals";
import {
  artefactKeys,
  CHECKPOINT,
  controlKeys,
  MANIFEST,
  outputKey,
  registryKeys,
} from "../../shared/src/contracts/keys.ts";
import { STAGES } from "../../shared/src/contracts/stages.ts";
import { variantRun } from "../../shared/src/contracts/variants.ts";
import { ADAPTER, knowledgeName, LOSSES, SCORES } from "../../shared/src/use-cases/party-outputs.ts";
import { iamDecision, type Request } from "../support/iam-decision.ts";
import { deployTemplates, synthesizeTemplates } from "../support/templates.ts";

const deployed = deployTemplates(synthesizeTemplates());
const decide = iamDecision(deployed);

/** One run's objects as the use cases name them, of a party and of rounds. */
const RUN = "harbour-and-forest";
/** and of a variant of it, whose jobs are the same parties' */
const RUNS = [RUN, variantRun(RUN, "fedavg+public")];
const inFolder = (folder: string, ...outputs: string[]) => [
  `${folder}/${MANIFEST}`,
  ...outputs.map((name) => outputKey(folder, name, "0f3c".repeat(16))),
];
const jobsOf = (party: string, stage: string) => [
  ...RUNS.flatMap((run) => [
    ...inFolder(artefactKeys.job(run, 1, stage, party), knowledgeName(0), ADAPTER),
    `${artefactKeys.job(run, 2, stage, party)}/${CHECKPOINT}`,
  ]),
  ...inFolder(artefactKeys.baseline(RUN, party, "standalone"), SCORES),
];
const alignedOf = (source: string, target: string) =>
  RUNS.flatMap((run) => inFolder(artefactKeys.aligned(run, 2, source, target, 3), LOSSES));
const usageOf = (party: string) => RUNS.map((run) => artefactKeys.usage(run, party, "a-1"));
const selectionFor = (party: string) => RUNS.map((run) => artefactKeys.selection(run, 2, party));
const bucket = (name: string) => `arn:aws:s3:::fedmkt-dev-${name}-000000000000-us-east-1`;
const at = (name: string, keys: string[]) => keys.map((key) => `${bucket(name)}/${key}`);

const OBJECTS = {
  spec: at("control", [controlKeys.spec(RUN)]),
  claims: at("control", [controlKeys.claim(RUN, 1), controlKeys.claim(RUN, 12)]),
  plan: at("control", RUNS.map(controlKeys.plan)),
  "public set": at("control", [controlKeys.publicSet(RUN)]),
  evaluation: at("control", [controlKeys.evaluationSet(RUN, "held-out")]),
  status: at("control", [controlKeys.status(RUN)]),
  stop: at("control", [controlKeys.stop(RUN)]),
  "material of all": at("public", ["models/babyllama/tokenizer.json", "data/public.jsonl"]),
  "material of the server": at("control", ["material/server/model/model.safetensors"]),
  "material of harbour": at("control", ["material/harbour/model/config.json"]),
  "material of forest": at("control", ["material/forest/model/config.json"]),
  map: at("artefacts", [artefactKeys.map("exhaustive", "a".repeat(64), "b".repeat(64))]),
  "jobs of the server": at("artefacts", jobsOf("server", "server-distil")),
  "jobs of harbour": at("artefacts", jobsOf("harbour", "client-train")),
  "jobs of forest": at("artefacts", jobsOf("forest", "client-train")),
  "usage of the server": at("artefacts", usageOf("server")),
  "usage of harbour": at("artefacts", usageOf("harbour")),
  "usage of forest": at("artefacts", usageOf("forest")),
  "aligned for the server": at("artefacts", [...alignedOf("harbour", "server"), ...alignedOf("forest", "server")]),
  "aligned for harbour": at("artefacts", alignedOf("server", "harbour")),
  "aligned for forest": at("artefacts", alignedOf("server", "forest")),
  "selection for the server": at("artefacts", selectionFor("server")),
  "selection for harbour": at("artefacts", selectionFor("harbour")),
  "selection for forest": at("artefacts", selectionFor("forest")),
  averaged: at(
    "artefacts",
    RUNS.flatMap((run) => inFolder(artefactKeys.averaged(run, 2), ADAPTER)),
  ),
  summary: at(
    "artefacts",
    RUNS.map((run) => artefactKeys.roundSummary(run, 2)),
  ),
  published: at("artefacts", [
    `${artefactKeys.published(RUN)}/summary.json`,
    `${artefactKeys.published(RUN)}/adapters/harbour/adapter_config.json`,
  ]),
  registry: at("registry", [registryKeys.entry("harbour", RUN)]),
  "private data of harbour": [`${privateBucketOf("harbour")}/private.jsonl`],
  "private data of forest": [`${privateBucketOf("forest")}/private.jsonl`],
};
type What = keyof typeof OBJECTS;
const EVERYTHING = Object.keys(OBJECTS) as What[];

const each = (what: string): What[] =>
  EVERYTHING.filter((name) => name === what || name.startsWith(`${what} of `) || name.startsWith(`${what} for `));
const ANY_JOBS = each("jobs");
const ANY_MATERIAL = each("material");
const ANY_SELECTION = each("selection");
const ANY_ALIGNED = EVERYTHING.filter((name) => name.startsWith("aligned"));

/** What each role's use cases touch. Whatever is not named must be refused. */
const TOUCHED: Record<string, { role: string; reads: What[]; writes: What[] }> = {
  "plan-run": {
    role: roleOf(/^StagesPlanRunRole/),
    reads: ["spec", "claims", "plan", ...ANY_MATERIAL],
    writes: ["claims", "plan", "public set", "evaluation", "status"],
  },
  "map-vocabulary": {
    role: roleOf(/^StagesMapVocabularyRole/),
    reads: ["plan", "map", ...ANY_MATERIAL],
    writes: ["map"],
  },
  "align-shard": {
    role: roleOf(/^StagesAlignShardRole/),
    reads: ["plan", "public set", "map", ...ANY_MATERIAL, ...ANY_JOBS, ...ANY_ALIGNED],
    writes: ANY_ALIGNED,
  },
  "select-knowledge": {
    role: roleOf(/^StagesSelectKnowledgeRole/),
    reads: ["plan", ...ANY_ALIGNED],
    writes: ANY_SELECTION,
  },
  "average-adapters": {
    role: roleOf(/^StagesAverageAdaptersRole/),
    reads: ["plan", "averaged", ...ANY_JOBS],
    writes: ["averaged"],
  },
  "close-round": {
    role: roleOf(/^StagesCloseRoundRole/),
    reads: ["plan", "stop", "summary", ...ANY_JOBS, ...ANY_SELECTION, ...each("usage")],
    writes: ["summary"],
  },
  "publish-run": {
    role: roleOf(/^StagesPublishRunRole/),
    reads: ["plan", "claims", "averaged", "summary", "registry", ...ANY_JOBS],
    writes: ["published", "status", "registry"],
  },
  "fail-run": { role: roleOf(/^StagesFailRunRole/), reads: ["claims", "status"], writes: ["status"] },
  "fail-task": { role: roleOf(/^AlignShardsFailTaskRole/), reads: [], writes: [] },
  "stop-tasks": { role: roleOf(/^EventsStopTasksRole/), reads: [], writes: [] },
  "the server's worker": {
    role: partyRole("server"),
    reads: [
      ...(["plan", "public set", "evaluation", "map", "material of all", "material of the server"] as const),
      ...(["jobs of the server", "aligned for the server", "selection for the server"] as const),
    ],
    writes: ["jobs of the server", "usage of the server"],
  },
  "harbour's worker": {
    role: partyRole("harbour"),
    reads: [
      ...(["plan", "public set", "evaluation", "map", "averaged", "material of all", "material of harbour"] as const),
      ...(["jobs of harbour", "aligned for harbour", "selection for harbour", "private data of harbour"] as const),
    ],
    writes: ["jobs of harbour", "usage of harbour"],
  },
  "the workers' execution": { role: roleOf(/^WorkersExecution/), reads: [], writes: [] },
  "the run machine": { role: roleOf(/^RunMachineRole/), reads: [], writes: [] },
  "the round machine": { role: roleOf(/^RoundMachineRole/), reads: [], writes: [] },
};

function roleOf(id: RegExp): string {
  return deployed.find((resource) => resource.type === "AWS::IAM::Role" && id.test(resource.id))!.arn;
}
function partyRole(party: string): string {
  return `arn:aws:iam::000000000000:role/fedmkt-dev-party-${party}`;
}
function privateBucketOf(client: string): string {
  return deployed.find(
    ({ stack, id }) => stack === `fedmkt-dev-client-${client}` && /^PrivateBucket[0-9A-F]{8}$/.test(id),
  )!.arn;
}
const queueOf = (party: string) => `arn:aws:sqs:us-east-1:000000000000:fedmkt-dev-party-${party}`;
const keyOf = (stack: string, id: RegExp) =>
  deployed.find((one) => one.stack === stack && one.type === "AWS::KMS::Key" && id.test(one.id))!.arn;
const machine = (name: string) => `arn:aws:states:us-east-1:000000000000:stateMachine:fedmkt-dev-${name}`;

describe("the roles and the objects", () => {
  it("know every stage", () => {
    const functions = Object.keys(STAGES).filter((stage) => STAGES[stage as keyof typeof STAGES].host === "lambda");
    expect(Object.keys(TOUCHED)).toEqual(expect.arrayContaining(functions));
  });

  it("know every role that a function, a machine or a worker has", () => {
    const known = new Set(Object.values(TOUCHED).map(({ role }) => role));
    const others = deployed
      .filter(({ type, arn }) => type === "AWS::IAM::Role" && !known.has(arn))
      .map(({ stack, id }) => `${stack}/${id.replace(/[0-9A-F]{8}$/, "")}`);
    // harbour stands for both clients; a rule starts the run machine
    expect(others.sort()).toEqual(["fedmkt-dev-client-forest/Role", "fedmkt-dev-pipeline/RunMachineEventsRole"]);
  });

  describe.each(Object.entries(TOUCHED))("%s", (_, { role, reads, writes }) => {
    it.each([
      ["read", "s3:GetObject", reads],
      ["write", "s3:PutObject", writes],
    ])("may %s what its use cases do, and no other object", (_does, action, touched) => {
      for (const what of EVERYTHING)
        for (const resource of OBJECTS[what])
          expect([resource, decide({ principal: role, action, resource })]).toEqual([resource, touched.includes(what)]);
    });

    it("may delete nothing", () => {
      for (const resource of Object.values(OBJECTS).flat())
        expect([resource, decide({ principal: role, action: "s3:DeleteObject", resource })]).toEqual([resource, false]);
    });
  });

  it("are refused over a connection without TLS, or with an old one", () => {
    const request = { principal: partyRole("harbour"), action: "s3:GetObject", resource: OBJECTS.plan[0] };
    expect(decide(request)).toBe(true);
    expect(decide({ ...request, context: { "aws:SecureTransport": "false" } })).toBe(false);
    expect(decide({ ...request, context: { "s3:TlsVersion": 1.1 } })).toBe(false);
  });
});

describe("a client's private data", () => {
  const [object] = OBJECTS["private data of harbour"];
  const key = keyOf("fedmkt-dev-client-harbour", /^PrivateKey/);
  const throughS3 = { "kms:ViaService": "s3.us-east-1.amazonaws.com" };
  const others = [...Object.values(TOUCHED).map(({ role }) => role), partyRole("forest")].filter(
    (role) => role !== partyRole("harbour"),
  );

  it("are read by its own role alone: not by the server, another client, a function or the account's administrators", () => {
    expect(decide({ principal: partyRole("harbour"), action: "s3:GetObject", resource: object })).toBe(true);
    for (const principal of [...others, ADMINISTRATOR, ROOT])
      for (const action of ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes"])
        expect([principal, action, allowedByAdministration({ principal, action, resource: object })]).toEqual([
          principal,
          action,
          false,
        ]);
  });

  it("are decrypted by its own role alone, and through S3 alone", () => {
    const decrypt = { action: "kms:Decrypt", resource: key };
    expect(decide({ principal: partyRole("harbour"), ...decrypt, context: throughS3 })).toBe(true);
    expect(decide({ principal: partyRole("harbour"), ...decrypt })).toBe(false);
    for (const principal of others)
      expect([principal, decide({ principal, ...decrypt, context: throughS3 })]).toEqual([principal, false]);
  });

  it("are put in by the account's administrators, or where an owner is named by that one alone", () => {
    const put = { action: "s3:PutObject", resource: object };
    expect(allowedByAdministration({ principal: ADMINISTRATOR, ...put })).toBe(true);
    const owner = "arn:aws:iam::111122223333:role/harbour-data";
    const owned = iamDecision(deployTemplates(synthesizeTemplates(), { DataOwner: owner }));
    expect(owned({ principal: owner, ...put })).toBe(true);
    expect(owned({ principal: owner, action: "s3:DeleteObject", resource: object })).toBe(true);
    expect(owned({ principal: owner, action: "kms:GenerateDataKey", resource: key, context: throughS3 })).toBe(true);
    expect(owned({ principal: owner, action: "s3:GetObject", resource: object })).toBe(false);
    expect(owned({ principal: partyRole("harbour"), action: "s3:GetObject", resource: object })).toBe(true);
    expect(allowedByAdministration({ principal: ADMINISTRATOR, ...put }, owned)).toBe(false);
    expect(owned({ principal: partyRole("harbour"), ...put })).toBe(false);
  });
});

const ADMINISTRATOR = "arn:aws:iam::000000000000:user/administrator";
const ROOT = "arn:aws:iam::000000000000:root";

/** Whether somebody whom the account's policies let do anything may do this: whether nothing denies it. */
function allowedByAdministration(request: Request, by = decide): boolean {
  return by(request, { mayDoAnything: true });
}

describe("the queues", () => {
  it.each(["harbour", "forest"])("of %s are emptied by its own role alone", (client) => {
    for (const action of ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"])
      for (const principal of [...Object.values(TOUCHED).map(({ role }) => role), partyRole("forest")])
        expect([principal, action, decide({ principal, action, resource: queueOf(client) })]).toEqual([
          principal,
          action,
          principal === partyRole(client),
        ]);
  });

  it("of parties are filled by the machines alone", () => {
    for (const { role } of Object.values(TOUCHED))
      expect([role, decide({ principal: role, action: "sqs:SendMessage", resource: queueOf("harbour") })]).toEqual([
        role,
        [TOUCHED["the run machine"].role, TOUCHED["the round machine"].role].includes(role),
      ]);
  });

  it("hand a party's dead jobs to fail-task, and to nobody else", () => {
    const dead = "arn:aws:sqs:us-east-1:000000000000:fedmkt-dev-dead-jobs-harbour";
    const taking = Object.entries(TOUCHED)
      .filter(([, { role }]) => decide({ principal: role, action: "sqs:ReceiveMessage", resource: dead }))
      .map(([who]) => who);
    expect(taking).toEqual(["fail-task"]);
    const mappings = deployed.filter(({ type }) => type === "AWS::Lambda::EventSourceMapping");
    expect(mappings.map(({ properties }) => properties.EventSourceArn)).toContain(dead);
  });

  it("are encrypted by a key that those who fill and empty them may use", () => {
    const key = keyOf("fedmkt-dev-state", /^ControlKey/);
    for (const queue of deployed.filter(({ type }) => type === "AWS::SQS::Queue"))
      expect([queue.id, queue.properties.KmsMasterKeyId]).toEqual([queue.id, key]);
    for (const principal of ["the run machine", "the round machine"].map((name) => TOUCHED[name].role))
      expect(decide({ principal, action: "kms:GenerateDataKey", resource: key })).toBe(true);
    for (const principal of [partyRole("harbour"), TOUCHED["align-shard"].role, TOUCHED["fail-task"].role])
      expect(decide({ principal, action: "kms:Decrypt", resource: key })).toBe(true);
  });
});

describe("the machines", () => {
  const [run, round] = [TOUCHED["the run machine"].role, TOUCHED["the round machine"].role];
  const task = (family: string) => `arn:aws:ecs:us-east-1:000000000000:task-definition/${family}:7`;
  const cluster = { "ecs:cluster": "arn:aws:ecs:us-east-1:000000000000:cluster/fedmkt-dev-workers" };

  it.each([run, round])("start tasks of parties in the workers' cluster, and no other", (principal) => {
    const start = { principal, action: "ecs:RunTask" };
    expect(decide({ ...start, resource: task("fedmkt-dev-party-harbour"), context: cluster })).toBe(true);
    expect(decide({ ...start, resource: task("fedmkt-dev-party-harbour") })).toBe(false);
    expect(decide({ ...start, resource: task("another"), context: cluster })).toBe(false);
    expect(decide({ ...start, resource: task("fedmkt-prod-party-harbour"), context: cluster })).toBe(false);
  });

  it.each([run, round])("hand parties' roles to tasks alone, and no other role", (principal) => {
    const pass = { principal, action: "iam:PassRole" };
    const toTasks = { "iam:PassedToService": "ecs-tasks.amazonaws.com" };
    expect(decide({ ...pass, resource: partyRole("harbour"), context: toTasks })).toBe(true);
    expect(decide({ ...pass, resource: TOUCHED["the workers' execution"].role, context: toTasks })).toBe(true);
    expect(decide({ ...pass, resource: partyRole("harbour") })).toBe(false);
    expect(decide({ ...pass, resource: TOUCHED["plan-run"].role, context: toTasks })).toBe(false);
  });

  it("are answered by those alone who hold tokens of them", () => {
    const answering = (name: string) =>
      Object.entries(TOUCHED)
        .filter(([, { role }]) =>
          decide({ principal: role, action: "states:SendTaskSuccess", resource: machine(name) }),
        )
        .map(([who]) => who);
    expect(answering("run")).toEqual(["fail-task", "the server's worker", "harbour's worker"]);
    expect(answering("round")).toEqual(["align-shard", "fail-task", "the server's worker", "harbour's worker"]);
  });
});

describe("the other services", () => {
  it("tell plan-run, and no other role, how an execution of the run machine stands", () => {
    const execution = (name: string) => `arn:aws:states:us-east-1:000000000000:execution:fedmkt-dev-${name}:one`;
    const action = "states:DescribeExecution";
    const principal = TOUCHED["plan-run"].role;
    expect(decide({ principal, action, resource: execution("run") })).toBe(true);
    expect(decide({ principal, action, resource: execution("round") })).toBe(false);
    for (const { role } of Object.values(TOUCHED).filter(({ role }) => role !== principal))
      expect([role, decide({ principal: role, action, resource: execution("run") })]).toEqual([role, false]);
  });

  it("let stop-tasks find and stop the cluster's tasks, and no other role or cluster", () => {
    const task = (cluster: string) => `arn:aws:ecs:us-east-1:000000000000:task/${cluster}/0f3c`;
    for (const { role } of Object.values(TOUCHED))
      expect([role, decide({ principal: role, action: "ecs:StopTask", resource: task("fedmkt-dev-workers") })]).toEqual(
        [role, role === TOUCHED["stop-tasks"].role],
      );
    expect(decide({ principal: TOUCHED["stop-tasks"].role, action: "ecs:StopTask", resource: task("another") })).toBe(
      false,
    );
  });
});
