import { describe, expect, it } from "@jest/globals";
import { artefactKeys, controlKeys, outputKey, registryKeys } from "../../shared/src/contracts/keys.ts";
import { iamDecision } from "../support/iam-decision.ts";
import { buildInference, deployInference, inferenceChoice, resourcesOf } from "../support/inference-templates.ts";

const RUN = "harbour-and-forest";
const bucket = (name: string) => `arn:aws:s3:::fedmkt-dev-${name}-000000000000-us-east-1`;
const published = (party: string) => `${artefactKeys.published(RUN)}/adapters/${party}`;

const OBJECTS = {
  "registry of harbour": [`${bucket("registry")}/${registryKeys.entry("harbour", RUN)}`],
  "registry of forest": [`${bucket("registry")}/${registryKeys.entry("forest", RUN)}`],
  "adapter of harbour": ["adapter_config.json", "adapter_model.safetensors"].map(
    (file) => `${bucket("artefacts")}/${published("harbour")}/${file}`,
  ),
  "adapter of forest": [`${bucket("artefacts")}/${published("forest")}/adapter_model.safetensors`],
  summary: [`${bucket("artefacts")}/${artefactKeys.published(RUN)}/summary.json`],
  "the served model": ["config.json", "tokenizer.json", "model.safetensors"].map((file) =>
    inferenceChoice().model.replace("s3://", "arn:aws:s3:::").concat(`/${file}`),
  ),
  "another model": [`${bucket("public")}/models/smollm2-135m-instruct/model.safetensors`],
  "a party's own model": [`${bucket("control")}/material/harbour/model/model.safetensors`],
  "public set": [`${bucket("public")}/data/public.jsonl`, `${bucket("control")}/${controlKeys.publicSet(RUN)}`],
  plan: [`${bucket("control")}/${controlKeys.plan(RUN)}`],
  spec: [`${bucket("control")}/${controlKeys.spec(RUN)}`],
  jobs: [
    `${bucket("artefacts")}/${outputKey(artefactKeys.job(RUN, 1, "client-train", "harbour"), "adapter.safetensors", "0f3c".repeat(16))}`,
  ],
  averaged: [`${bucket("artefacts")}/${artefactKeys.averaged(RUN, 2)}/manifest.json`],
} satisfies Record<string, string[]>;
type What = keyof typeof OBJECTS;

const deployed = deployInference(buildInference());
const decide = iamDecision(deployed);
const [role] = resourcesOf(deployed, "AWS::IAM::Role").filter(({ id }) => /^Role[0-9A-F]{8}$/.test(id));
const [execution] = resourcesOf(deployed, "AWS::IAM::Role").filter(({ id }) => /^Execution/.test(id));
const [secret] = resourcesOf(deployed, "AWS::SecretsManager::Secret");
const readable = (by: ReturnType<typeof iamDecision>, principal: string) =>
  (Object.keys(OBJECTS) as What[]).filter((what) => {
    const answers = OBJECTS[what].map((resource) => by({ principal, action: "s3:GetObject", resource }));
    expect(new Set(answers).size).toBe(1);
    return answers[0];
  });
const others = deployed.filter(({ type, arn }) => type === "AWS::IAM::Role" && arn !== role.arn).map(({ arn }) => arn);

describe("the role of an endpoint's tasks", () => {
  it("reads the registry, published adapters and the served model, and nothing else", () => {
    expect(readable(decide, role.arn)).toEqual([
      ...(["registry of harbour", "registry of forest", "adapter of harbour", "adapter of forest"] as const),
      "the served model",
    ]);
  });

  it("reads one party's alone, where one is named", () => {
    const ofHarbour = iamDecision(deployInference(buildInference({ party: "harbour" })));
    expect(readable(ofHarbour, role.arn)).toEqual(["registry of harbour", "adapter of harbour", "the served model"]);
  });

  it("reads nobody's private data", () => {
    const [store] = deployed.filter(({ type, id }) => type === "AWS::S3::Bucket" && /^PrivateBucket/.test(id));
    const [key] = deployed.filter(({ type, id }) => type === "AWS::KMS::Key" && /^PrivateKey/.test(id));
    const through = { "kms:ViaService": "s3.us-east-1.amazonaws.com" };
    expect(decide({ principal: role.arn, action: "s3:GetObject", resource: `${store.arn}/private.jsonl` })).toBe(false);
    expect(decide({ principal: role.arn, action: "kms:Decrypt", resource: key.arn, context: through })).toBe(false);
  });

  it("writes and deletes nothing", () => {
    for (const resource of Object.values(OBJECTS).flat())
      for (const action of ["s3:PutObject", "s3:DeleteObject"])
        expect([resource, decide({ principal: role.arn, action, resource })]).toEqual([resource, false]);
    for (const action of ["secretsmanager:PutSecretValue", "secretsmanager:DeleteSecret"])
      expect(decide({ principal: role.arn, action, resource: secret.arn })).toBe(false);
  });

  it("decrypts what it reads through S3, and keys through Secrets Manager, each alone", () => {
    const keyOf = (stack: string, id: RegExp) =>
      deployed.find((one) => one.stack === stack && one.type === "AWS::KMS::Key" && id.test(one.id))!.arn;
    const decrypts = (resource: string, service?: string) =>
      decide({
        principal: role.arn,
        action: "kms:Decrypt",
        resource,
        ...(service && { context: { "kms:ViaService": `${service}.us-east-1.amazonaws.com` } }),
      });
    for (const id of [/^ControlKey/, /^ArtefactKey/]) {
      const key = keyOf("fedmkt-dev-state", id);
      expect([decrypts(key, "s3"), decrypts(key, "secretsmanager"), decrypts(key)]).toEqual([true, false, false]);
    }
    const key = keyOf("fedmkt-dev-inference", /^KeysKey/);
    expect([decrypts(key, "secretsmanager"), decrypts(key, "s3"), decrypts(key)]).toEqual([true, false, false]);
  });

  it("starts nothing, and is nobody's but a task's of this account", () => {
    for (const action of [
      "ecs:RunTask",
      "ecs:UpdateService",
      "states:SendTaskSuccess",
      "sqs:ReceiveMessage",
      "iam:PassRole",
    ])
      expect([action, decide({ principal: role.arn, action, resource: "*" })]).toEqual([action, false]);
    expect(role.properties.AssumeRolePolicyDocument).toMatchObject({
      Statement: [
        {
          Principal: { Service: "ecs-tasks.amazonaws.com" },
          Condition: { StringEquals: { "aws:SourceAccount": "000000000000" } },
        },
      ],
    });
  });
});

describe("an endpoint's keys", () => {
  it("are read by its tasks' role alone, of all roles of the deployment", () => {
    const read = { action: "secretsmanager:GetSecretValue", resource: secret.arn };
    expect(decide({ principal: role.arn, ...read })).toBe(true);
    expect(others.length).toBeGreaterThan(15);
    for (const principal of others) expect([principal, decide({ principal, ...read })]).toEqual([principal, false]);
  });

  it("are not those of another endpoint", () => {
    const chat = buildInference({ name: "chat" });
    const both = [...deployed, ...deployInference(chat).filter(({ stack }) => stack === "fedmkt-dev-inference-chat")];
    const [theirs] = both.filter(({ arn }) => /secret:fedmkt-dev-inference-chat-keys/.test(arn));
    const read = { principal: role.arn, action: "secretsmanager:GetSecretValue", resource: theirs.arn };
    expect(iamDecision(both)(read)).toBe(false);
  });
});

describe("the role that starts an endpoint's tasks", () => {
  it("fetches images and writes the log, and reads none of it all", () => {
    expect(readable(decide, execution.arn)).toEqual([]);
    const log = resourcesOf(deployed, "AWS::Logs::LogGroup").find(({ id }) => /^Log/.test(id))!;
    expect(decide({ principal: execution.arn, action: "logs:PutLogEvents", resource: log.arn })).toBe(true);
  });
});
