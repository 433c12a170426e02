import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { requireCheckout } from "../../../../cli/src/cloud/require-checkout.ts";
import type { ProgramRun } from "../../../../cli/src/cloud/run-program.ts";
import { callCli, makeToyFolder, remove } from "../../../support/cli.ts";
import { CLOUD_SPEC } from "../../../support/cloud-spec.ts";
import { FakeCloud } from "../../../support/fake-cloud.ts";

describe("deploying and destroying", () => {
  let folder: string;
  let cloud: FakeCloud;
  let programs: ProgramRun[];
  let codes: (number | null)[];
  const call = (argv: readonly string[], options: Parameters<typeof callCli>[2] = {}) =>
    callCli(folder, argv, {
      openCloud: async () => cloud,
      runProgram: async (run) => {
        programs.push(run);
        run.onOutput("as the CDK says\n");
        return codes.length > 0 ? codes.shift()! : 0;
      },
      ...options,
    });
  /** the CDK's commands, each with its arguments but the program's own file */
  /** Without the program and, at the end, the folder that the CDK writes to. */
  const commands = () => programs.map(({ args }) => args.slice(1, -2).join(" "));

  beforeEach(() => {
    folder = makeToyFolder();
    cloud = new FakeCloud();
    cloud.addStack("CDKToolkit");
    programs = [];
    codes = [];
  });
  afterEach(() => remove(folder));

  describe("deploy", () => {
    it("runs the CDK on the project's app, with what was said of the deployment", async () => {
      const line = ["deploy", "--clients", "ward,harbour", "--image", "registry/worker:1", "--workers", "cpu"];
      const { exitCode, stdout, stderr } = await call([...line, "--cloud-capacity", "false", "--yes"]);
      expect(exitCode).toBe(0);
      expect(commands()).toEqual([
        [
          "deploy --all --context environment=dev --context clients=ward,harbour --context workerImage=registry/worker:1",
          "--context workers=cpu --require-approval never --parameters fedmkt-dev-pipeline:UseCloudCapacity=false",
          "--parameters fedmkt-dev-client-ward:UseCloudCapacity=false --parameters fedmkt-dev-client-harbour:UseCloudCapacity=false",
          "--no-notices --no-color",
        ].join(" "),
      ]);
      expect(programs[0].args[0]).toMatch(/aws-cdk\/bin\/cdk$/);
      expect(programs[0].args.at(-2)).toBe("--output");
      expect(programs[0].env.AWS_REGION).toBe("eu-central-1");
      expect(stderr).toBe("as the CDK says\n");
      expect(stdout).toContain("dev is deployed to account 111122223333, region eu-central-1");
    });

    it("names the clients that are not up to date with it yet: those that came by themselves", async () => {
      cloud.addClient("ward");
      cloud.addClient("harbour");
      const { stdout } = await call(["deploy", "--clients", "ward", "--yes"]);
      expect(stdout.match(/clients add \S+/g)).toEqual(["clients add harbour"]);
      expect(JSON.parse((await call(["deploy", "--yes", "--json"])).stdout).data.outdated).toEqual(["ward", "harbour"]);
    });

    it("shows what would change and asks, unless told not to", async () => {
      const { exitCode, stderr } = await call(["deploy", "--environment", "prod"], { answer: "no" });
      expect([exitCode, commands()]).toEqual([
        1,
        ["diff --context environment=prod --context workerImage=build --no-notices --no-color"],
      ]);
      expect(stderr).toContain("Deploy prod to account 111122223333, region eu-central-1? [y/N]");
      await call(["deploy"], { answer: "y" });
      expect(commands().at(-1)).toContain("deploy --all");
    });

    it("does nothing where nobody is there to be asked", async () => {
      cloud.stackList.delete("CDKToolkit");
      const { exitCode, stderr } = await call(["deploy", "--bootstrap"]);
      expect([exitCode, commands()]).toEqual([2, []]);
      expect(stderr).toContain("Nobody is at a terminal to answer: give --yes");
    });

    it("prepares an account for the CDK only where that is asked for", async () => {
      cloud.stackList.delete("CDKToolkit");
      const refused = await call(["deploy", "--yes"]);
      expect([refused.exitCode, programs.length]).toEqual([2, 0]);
      expect(refused.stderr).toContain("BOOTSTRAP_MISSING): aws://111122223333/eu-central-1 is not prepared");
      await call(["deploy", "--yes", "--bootstrap"]);
      expect(commands().map((line) => line.split(" ")[0])).toEqual(["bootstrap", "deploy"]);
    });

    it("fails as the CDK fails, keeping its words", async () => {
      codes = [1];
      const { exitCode, stderr } = await call(["deploy", "--yes"]);
      expect([exitCode, stderr]).toEqual([
        1,
        "as the CDK says\nTransientError (CDK_FAILED): cdk deploy ended with exit code 1; what it said stands above\n",
      ]);
    });

    it("builds no image for an emulator", async () => {
      await call(["deploy", "--cloud-capacity", "false", "--yes"]);
      expect(commands()[0]).toContain("workerImage=fedmkt/gpu-workers:");
    });

    it("does not try to make buckets that an earlier deployment has kept", async () => {
      cloud.objects.buckets.add(cloud.bucket("artefacts"));
      expect((await call(["deploy", "--yes"])).exitCode).toBe(0); // its own
      cloud.stackList.delete(cloud.names.stateStack);
      programs = [];
      const { exitCode, stderr } = await call(["deploy", "--yes"]);
      expect([exitCode, programs]).toEqual([2, []]);
      expect(stderr).toContain(`BUCKETS_KEPT): an earlier dev kept s3://${cloud.bucket("artefacts")}, and`);
    });

    it("refuses clients that are none", async () => {
      for (const clients of ["server", "Ward", "a b"])
        expect((await call(["deploy", "--clients", clients, "--yes"])).exitCode).toBe(2);
      expect(programs).toEqual([]);
    });

    it("needs the checkout", () => {
      expect(() => requireCheckout("deploy", null)).toThrow("fedmkt deploy needs the project's checkout");
      expect(() => requireCheckout("deploy", folder)).toThrow("CDK app");
    });
  });

  describe("destroy", () => {
    const setStatus = (name: string, status: string) =>
      cloud.stackList.set(name, { ...cloud.stackList.get(name)!, status });

    beforeEach(() => {
      cloud.addClient("ward");
    });

    it("of dev empties every bucket, then removes clients and stacks", async () => {
      await cloud.objects.put(cloud.bucket("artefacts"), "runs/a", new Uint8Array([1]));
      const { exitCode, stdout, stderr } = await call(["destroy"], { answer: "y" });
      expect(exitCode).toBe(0);
      expect(cloud.objects.emptied).toEqual([
        "private-ward",
        ...(["control", "artefacts", "registry"] as const).map(cloud.bucket),
        cloud.bucket("public"),
        "access-log",
      ]);
      expect(cloud.removed).toEqual(["fedmkt-dev-client-ward"]);
      expect(commands()).toEqual(["destroy --all --force --context environment=dev --no-notices --no-color"]);
      expect(stderr).toContain("deleted with every version in it: s3://private-ward");
      expect(stdout).toBe("dev is gone\n");
    });

    it("of prod keeps what people made, and says so first", async () => {
      cloud = new FakeCloud("prod");
      cloud.addClient("ward");
      const { stderr, stdout } = await call(["destroy", "--environment", "prod"], { answer: "yes" });
      expect(cloud.objects.emptied).toEqual([cloud.bucket("public"), "access-log"]);
      const kept = [...(["control", "artefacts", "registry"] as const).map(cloud.bucket), "private-ward"];
      for (const bucket of kept) expect(stderr).toContain(`kept, with its key: s3://${bucket}`);
      expect(stdout).toBe(`${["prod is gone", ...kept.map((bucket) => `  kept: s3://${bucket}`)].join("\n")}\n`);
    });

    it("does nothing without a yes, nor while a run goes on", async () => {
      expect((await call(["destroy"], { answer: "" })).exitCode).toBe(1);
      await cloud.addRun("toy", new TextEncoder().encode(CLOUD_SPEC), "RUNNING");
      const { exitCode, stderr } = await call(["destroy", "--yes"]);
      expect([exitCode, stderr]).toEqual([
        2,
        expect.stringContaining("RUNS_UNDER_WAY): dev: expected no run that goes on, there are toy"),
      ]);
      expect([cloud.objects.emptied, cloud.removed, programs]).toEqual([[], [], []]);
    });

    it("waits until ECS has taken the GPU machines away, since CloudFormation cannot", async () => {
      cloud.machineCounts = [2, 2, 1];
      const waited: number[] = [];
      const wait = async (ms: number) => void waited.push(ms);
      const { exitCode, stderr } = await call(["destroy", "--yes"], { wait });
      expect([exitCode, waited.length]).toEqual([0, 3]);
      expect(stderr.match(/waiting for 2 GPU machines/g)).toHaveLength(1);
    });

    it("gives up on machines that stay, with everything still there", async () => {
      cloud.machineCounts = Array.from({ length: 1000 }, () => 1);
      const { exitCode, stderr } = await call(["destroy", "--yes"], { wait: async () => {} });
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining("MACHINES_THERE): fedmkt-dev-workers")]);
      expect([cloud.objects.emptied, cloud.removed, programs]).toEqual([[], [], []]);
    });

    it("asks for no machines where there are none, as in an emulator", async () => {
      cloud.addStack("fedmkt-dev-pipeline", {}, { UseCloudCapacity: "false" });
      cloud.machineCounts = [1];
      expect((await call(["destroy", "--yes"])).exitCode).toBe(0);
      expect(cloud.machineCounts).toEqual([1]);
    });

    it.each([
      ["the pipeline's stack is gone already", () => cloud.stackList.delete("fedmkt-dev-pipeline")],
      ["the pipeline's stack could not be made", () => setStatus("fedmkt-dev-pipeline", "ROLLBACK_COMPLETE")],
      ["a stack could not be deleted", () => setStatus("fedmkt-dev-pipeline", "DELETE_FAILED")],
    ])("takes away what is left where %s", async (_, leave) => {
      leave();
      expect((await call(["destroy", "--yes"])).exitCode).toBe(0);
      expect(commands()).toEqual(["destroy --all --force --context environment=dev --no-notices --no-color"]);
    });

    it("says that there is nothing where nothing is left", async () => {
      cloud.stackList.clear();
      const { exitCode, stderr } = await call(["destroy", "--yes"]);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining("DEPLOYMENT_MISSING")]);
      expect(programs).toEqual([]);
    });

    it("tries again where notes of accesses came late into an emptied bucket", async () => {
      codes = [1, 0];
      expect((await call(["destroy", "--yes"])).exitCode).toBe(0);
      expect(commands()).toHaveLength(2);
      expect(cloud.objects.emptied.filter((bucket) => bucket === "access-log")).toHaveLength(2);
      codes = [1, 1, 1];
      programs = [];
      expect((await call(["destroy", "--yes"])).exitCode).toBe(1);
      expect(programs).toHaveLength(3);
      const folders = programs.map(({ args }) => args.at(-1)!);
      expect(new Set(folders).size).toBe(3); // two at a time do not meet in one
      expect(folders.filter((folder) => existsSync(folder))).toEqual([]);
    });
  });
});
