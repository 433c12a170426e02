import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { ProgramRun } from "../../../../cli/src/cloud/run-program.ts";
import { InvalidInputError } from "../../../../shared/src/core/errors.ts";
import { callCli, makeToyFolder, remove } from "../../../support/cli.ts";
import { FakeCloud } from "../../../support/fake-cloud.ts";

describe("inference endpoints of a deployment", () => {
  let folder: string;
  let cloud: FakeCloud;
  let programs: ProgramRun[];
  const call = (argv: readonly string[], options: Parameters<typeof callCli>[2] = {}) =>
    callCli(folder, argv, {
      openCloud: async () => cloud,
      runProgram: async (run) => {
        programs.push(run);
        return 0;
      },
      ...options,
    });
  const commands = () => programs.map(({ args }) => args.slice(1, -2).join(" "));
  const configOf = (modelType: string) => new TextEncoder().encode(JSON.stringify({ model_type: modelType }));
  const model = () => `s3://${cloud.bucket("public")}/models/smollm2`;
  const certificate = (region = "eu-central-1") =>
    `arn:aws:acm:${region}:111122223333:certificate/0f3c0f3c-0f3c-0f3c-0f3c-0f3c0f3c0f3c`;
  const wanted = () => ["deploy", "--inference-model", model(), "--inference-certificate", certificate()];

  beforeEach(async () => {
    folder = makeToyFolder();
    cloud = new FakeCloud();
    cloud.addStack("CDKToolkit");
    programs = [];
    await cloud.objects.put(cloud.bucket("public"), "models/smollm2/config.json", configOf("llama"));
  });
  afterEach(() => remove(folder));

  it("are not there unless a model is named", async () => {
    await call(["deploy", "--yes"]);
    expect(commands()[0]).not.toContain("inference");
  });

  it("are deployed with what was said of one, in a stack of its own", async () => {
    const options = ["--inference-name", "chat", "--inference-service", "cpu", "--inference-tasks", "1-3"];
    const { exitCode, stdout } = await call([...wanted(), ...options, "--cloud-capacity", "false", "--yes"]);
    expect(exitCode).toBe(0);
    const [command] = commands();
    for (const part of [
      `--context inferenceModel=${model()}`,
      `--context inferenceCertificateArn=${certificate()}`,
      "--context inferenceName=chat",
      "--context inferenceService=cpu",
      "--context inferenceTasks=1-3",
      "--parameters fedmkt-dev-inference-chat:UseCloudCapacity=false",
    ])
      expect(command).toContain(part);
    expect(stdout).toContain("fedmkt keys add NAME --secret fedmkt-dev-inference-chat-keys");
  });

  it("say where they answer, once they do", async () => {
    cloud.addStack("fedmkt-dev-inference", { Address: "balancer.example" });
    const { stdout } = await call([...wanted(), "--yes", "--json"]);
    expect(JSON.parse(stdout).data.endpoints).toEqual([
      expect.objectContaining({ stack: "fedmkt-dev-inference", address: "balancer.example" }),
    ]);
    expect((await call([...wanted(), "--yes"])).stdout).toContain(
      "a CNAME from the certificate's name to balancer.example",
    );
  });

  it("are told the cost of before anybody says yes", async () => {
    const { stderr } = await call(wanted(), { answer: "no" });
    expect(stderr).toMatch(
      /fedmkt-dev-inference costs about \$45 a month while nothing runs, and runs 0 to 2 tasks at \$0\.83 an hour each \(g6\.xlarge\)/,
    );
    expect(commands().map((line) => line.split(" ")[0])).toEqual(["diff"]);
  });

  it.each<[string, () => string[]]>([
    ["--inference-model: expected beside", () => ["deploy", "--inference-tasks", "0-2"]],
    ["--inference-certificate: expected", () => ["deploy", "--inference-model", model()]],
    ["--inference-tasks: expected", () => [...wanted(), "--inference-tasks", "2-1"]],
    [
      "--inference-certificate: expected a certificate of eu-central-1",
      () => ["deploy", "--inference-model", model(), "--inference-certificate", certificate("us-east-1")],
    ],
    [
      "--inference-model: expected a model in s3://fedmkt-dev-public-111122223333-eu-central-1 or s3://fedmkt-dev-control",
      () => [
        ...["deploy", "--inference-model", "s3://fedmkt-dev-public-999922223333-eu-central-1/models/smollm2"],
        ...["--inference-certificate", certificate()],
      ],
    ],
    [
      "--inference-model: expected a model's folder with its config.json",
      () => ["deploy", "--inference-model", `${model()}-large`, "--inference-certificate", certificate()],
    ],
  ])("are refused before anything is done: %s", async (message, argv) => {
    const { exitCode, stderr } = await call([...argv(), "--yes"]);
    expect([exitCode, programs]).toEqual([2, []]);
    expect(stderr).toContain(`InvalidInputError (INFERENCE_INVALID): ${message}`);
  });

  it("are refused before the account is asked, where that is not needed to judge them", async () => {
    const openCloud = () => Promise.reject(new Error("asked"));
    const { exitCode, stderr } = await call([...wanted(), "--inference-lora-rank", "7", "--yes"], { openCloud });
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("(INFERENCE_INVALID): --inference-lora-rank: ")]);
  });

  it("with adapters of a kind of model that vLLM has none for are sent to the engine", async () => {
    await cloud.objects.put(cloud.bucket("public"), "models/smollm2/config.json", configOf("gpt2"));
    const { exitCode, stderr } = await call([...wanted(), "--yes"]);
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringContaining("--inference-service: expected cpu: vLLM has no LoRA for gpt2 models"),
    ]);
    expect((await call([...wanted(), "--inference-service", "cpu", "--yes"])).exitCode).toBe(0);
  });

  describe("are taken away", () => {
    beforeEach(() => {
      cloud.addStack("fedmkt-dev-inference", { AccessLogBucket: "notes" });
      cloud.addStack("fedmkt-dev-inference-chat", { AccessLogBucket: "notes-chat" });
    });

    it("one alone, with the notes of who asked", async () => {
      const { exitCode, stdout, stderr } = await call(["destroy", "--endpoint", "inference-chat"], { answer: "y" });
      expect([exitCode, stdout]).toEqual([0, "fedmkt-dev-inference-chat is gone\n"]);
      expect(stderr).toContain("Destroy fedmkt-dev-inference-chat?");
      expect([cloud.removed, cloud.objects.emptied, programs]).toEqual([
        ["fedmkt-dev-inference-chat"],
        ["notes-chat"],
        [],
      ]);
    });

    it("not without a yes, and not where there is none of the name", async () => {
      expect((await call(["destroy", "--endpoint", "inference"], { answer: "no" })).exitCode).toBe(1);
      const { exitCode, stderr } = await call(["destroy", "--endpoint", "chat", "--yes"]);
      expect([exitCode, stderr]).toEqual([
        2,
        expect.stringContaining('expected inference or inference-chat, got "chat"'),
      ]);
      expect([cloud.removed, cloud.objects.emptied]).toEqual([[], []]);
    });

    it("with the deployment, before what they import from", async () => {
      const { exitCode, stderr } = await call(["destroy", "--yes"]);
      expect(exitCode).toBe(0);
      expect(cloud.removed).toEqual(["fedmkt-dev-inference", "fedmkt-dev-inference-chat"]);
      expect(cloud.objects.emptied.slice(0, 2)).toEqual(["notes", "notes-chat"]);
      expect(stderr).toContain("endpoint fedmkt-dev-inference-chat: its keys, machines, load balancer");
    });

    it("where nothing else is left of the deployment", async () => {
      cloud.stackList.delete(cloud.names.pipelineStack);
      cloud.stackList.delete(cloud.names.stateStack);
      expect((await call(["destroy", "--yes"])).exitCode).toBe(0);
      expect(cloud.removed).toEqual(["fedmkt-dev-inference", "fedmkt-dev-inference-chat"]);
    });

    it("though notes come late into an emptied bucket, and no more than three times", async () => {
      const removing = cloud.stacks.remove;
      let failures = 2;
      cloud.stacks.remove = async (name, say) => {
        if (failures-- > 0) throw new InvalidInputError("STACK_FAILED", "the bucket is not empty");
        await removing(name, say);
      };
      expect((await call(["destroy", "--endpoint", "inference", "--yes"])).exitCode).toBe(0);
      expect(cloud.objects.emptied).toEqual(["notes", "notes", "notes"]);
      failures = 9;
      const { exitCode, stderr } = await call(["destroy", "--endpoint", "inference-chat", "--yes"]);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining("STACK_FAILED")]);
    });
  });
});
