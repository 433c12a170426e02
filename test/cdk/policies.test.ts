import { describe, expect, it } from "@jest/globals";
import { artefactKeys, controlKeys, MANIFEST, outputKey } from "../../shared/src/contracts/keys.ts";
import { STAGES } from "../../shared/src/contracts/stages.ts";
import { ADAPTER, knowledgeName, LOSSES, SCORES } from "../../shared/src/use-cases/party-outputs.ts";
import { type Json, propertiesOf, synthesizeTemplates } from "../support/templates.ts";

const { pipeline } = synthesizeTemplates();

/** One run's objects as the use cases name them. */
const RUN = "harbour-and-forest";
const inFolder = (folder: string, ...outputs: string[]) => [
  `${folder}/${MANIFEST}`,
  ...outputs.map((name) => outputKey(folder, name, "0f3c".repeat(16))),
];
const OBJECTS = {
  control: {
    spec: [controlKeys.spec(RUN)],
    claim: [controlKeys.claim(RUN)],
    plan: [controlKeys.plan(RUN)],
    public: [controlKeys.publicSet(RUN)],
    evaluation: [controlKeys.evaluationSet(RUN, "held-out")],
    status: [controlKeys.status(RUN)],
    material: ["material/models/harbour/tokenizer.json", "material/models/harbour/config.json"],
  },
  artefacts: {
    map: [artefactKeys.map("exhaustive", "a".repeat(64), "b".repeat(64))],
    jobs: [
      ...inFolder(artefactKeys.job(RUN, 1, "client-train", "harbour"), knowledgeName(0), ADAPTER),
      ...inFolder(artefactKeys.baseline(RUN, "harbour", "standalone"), SCORES),
    ],
    aligned: inFolder(artefactKeys.aligned(RUN, 2, "harbour", "server", 3), LOSSES),
    selection: [artefactKeys.selection(RUN, 2, "server")],
    averaged: inFolder(artefactKeys.averaged(RUN, 2), ADAPTER),
    summary: [artefactKeys.roundSummary(RUN, 2)],
    published: [
      `${artefactKeys.published(RUN)}/summary.json`,
      `${artefactKeys.published(RUN)}/adapters/harbour/adapter_config.json`,
    ],
  },
};
type What = keyof typeof OBJECTS.control | keyof typeof OBJECTS.artefacts;
const EVERYTHING = [...Object.keys(OBJECTS.control), ...Object.keys(OBJECTS.artefacts)] as What[];

/** What each role's use cases touch. Whatever is not named as written must be refused. */
const TOUCHED: Record<string, { role: RegExp; reads: What[]; writes: What[] }> = {
  "plan-run": {
    role: /^StagesPlanRunRole/,
    reads: ["spec", "claim", "material"],
    writes: ["claim", "plan", "public", "evaluation"],
  },
  "map-vocabulary": {
    role: /^StagesMapVocabularyRole/,
    reads: ["plan", "material", "map"],
    writes: ["map"],
  },
  "align-shard": {
    role: /^StagesAlignShardRole/,
    reads: ["plan", "public", "material", "map", "jobs", "aligned"],
    writes: ["aligned"],
  },
  "select-knowledge": { role: /^StagesSelectKnowledgeRole/, reads: ["plan", "aligned"], writes: ["selection"] },
  "average-adapters": {
    role: /^StagesAverageAdaptersRole/,
    reads: ["plan", "jobs", "averaged"],
    writes: ["averaged"],
  },
  "close-round": { role: /^StagesCloseRoundRole/, reads: ["plan", "jobs", "selection"], writes: ["summary"] },
  "publish-run": {
    role: /^StagesPublishRunRole/,
    reads: ["plan", "jobs", "averaged", "summary"],
    writes: ["published", "status"],
  },
  "fail-run": { role: /^StagesFailRunRole/, reads: ["plan", "status"], writes: ["status"] },
  worker: {
    role: /^WorkersDefinitionTaskRole/,
    reads: ["plan", "public", "evaluation", "material", "map", "jobs", "aligned", "selection", "averaged"],
    writes: ["jobs"],
  },
  "fail-shard": { role: /^FailShardRole/, reads: [], writes: [] },
};

interface Statement {
  Action: string | string[];
  Resource: Json;
}

/** `control/runs/*` and the like: what a role's statements allow one action on. */
function allowed(role: RegExp, action: string): RegExp[] {
  return propertiesOf(pipeline, "AWS::IAM::Policy")
    .filter(([id]) => role.test(id))
    .flatMap(([, { PolicyDocument }]) => (PolicyDocument as unknown as { Statement: Statement[] }).Statement)
    .filter(({ Action }) => [Action].flat().includes(action))
    .flatMap(({ Resource }) => [Resource].flat())
    .map((resource) => {
      const [bucket, path] = (resource as { "Fn::Join": [string, [Json, string]] })["Fn::Join"][1];
      const name = JSON.stringify(bucket).includes("Control") ? "control" : "artefacts";
      // as IAM reads it: a star stands for any characters, slashes too
      const source = `${name}${path}`.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
      return new RegExp(`^${source}$`);
    });
}

const keysOf = (what: What): string[] =>
  what in OBJECTS.control
    ? OBJECTS.control[what as keyof typeof OBJECTS.control].map((key) => `control/${key}`)
    : OBJECTS.artefacts[what as keyof typeof OBJECTS.artefacts].map((key) => `artefacts/${key}`);
const matched = (patterns: RegExp[], key: string): boolean => patterns.some((pattern) => pattern.test(key));

describe("the roles and the keys", () => {
  it("know every stage", () => {
    const hosts = Object.entries(STAGES).map(([stage, { host }]) => (host === "worker" ? "worker" : stage));
    expect(Object.keys(TOUCHED).sort()).toEqual([...new Set([...hosts, "fail-shard"])].sort());
  });

  describe.each(Object.entries(TOUCHED))("%s", (_, { role, reads, writes }) => {
    const readable = allowed(role, "s3:GetObject");
    const writable = allowed(role, "s3:PutObject");

    it("may read all that it reads", () => {
      for (const key of reads.flatMap(keysOf)) expect([key, matched(readable, key)]).toEqual([key, true]);
    });

    it("may write all that it writes, and no other object", () => {
      for (const what of EVERYTHING)
        for (const key of keysOf(what)) expect([key, matched(writable, key)]).toEqual([key, writes.includes(what)]);
    });
  });

  it("leave the public set and other people's knowledge alone where a stage has no use for them", () => {
    for (const stage of ["select-knowledge", "average-adapters", "close-round", "publish-run", "fail-run"])
      expect(matched(allowed(TOUCHED[stage].role, "s3:GetObject"), keysOf("public")[0])).toBe(false);
    for (const stage of ["plan-run", "map-vocabulary", "fail-run"])
      expect(matched(allowed(TOUCHED[stage].role, "s3:GetObject"), keysOf("jobs")[0])).toBe(false);
  });
});
