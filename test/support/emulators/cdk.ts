import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WORKER_IMAGE } from "../../../shared/src/contracts/deployment.ts";
import { type Emulator, environmentOf } from "./emulator.ts";
import { startGuarded } from "./guarded-process.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const CLI = join(ROOT, "node_modules/aws-cdk/bin/cdk");

/** Outputs by stack and by name. */
export type StackOutputs = Record<string, Record<string, string>>;

export interface Cdk {
  bootstrap(): Promise<void>;
  /** @returns the outputs of the stacks that were deployed */
  deploy(stacks: readonly string[], parameters?: Record<string, string>): Promise<StackOutputs>;
  destroy(stacks: readonly string[]): Promise<void>;
}

/**
 * The unmodified CDK command line against an emulator: it only ever sees an endpoint, credentials and an authority.
 * @param context - the app's context: which deployment, which clients
 */
export function cdk(emulator: Emulator, options: { folder: string; context: Record<string, string> }): Cdk {
  const { folder } = options;
  const home = join(folder, "cdk-home");
  mkdirSync(home, { recursive: true });
  // nothing fetches an image from an emulator, so none is built
  // named, so that no Docker builds it: the agent of these tests starts processes, whatever the image
  const named = { workerImage: WORKER_IMAGE, ...options.context };
  const context = Object.entries(named).flatMap(([key, value]) => ["--context", `${key}=${value}`]);

  async function run(...commandArguments: string[]): Promise<void> {
    const log = join(folder, `cdk-${commandArguments[0]}-${randomUUID().slice(0, 8)}.log`);
    const program = startGuarded(
      process.execPath,
      [
        CLI,
        ...commandArguments,
        "--no-notices",
        "--no-version-reporting",
        "--output",
        join(folder, "cdk.out"),
        ...context,
      ],
      { environment: { ...environmentOf(emulator, emulator.owner, home), CI: "true" }, log, folder: ROOT },
    );
    const code = await program.ended;
    if (code !== 0)
      throw new Error(`cdk ${commandArguments.join(" ")} ended with ${code}:\n${program.output().slice(-8000)}`);
  }

  return {
    bootstrap: () => run("bootstrap", `aws://${emulator.account}/${emulator.region}`),
    async deploy(stacks, parameters = {}) {
      const outputs = join(folder, `outputs-${randomUUID()}.json`);
      await run(
        "deploy",
        ...stacks,
        "--require-approval=never",
        "--outputs-file",
        outputs,
        ...Object.entries(parameters).flatMap(([name, value]) => ["--parameters", `${name}=${value}`]),
      );
      return existsSync(outputs) ? JSON.parse(readFileSync(outputs, "utf8")) : {};
    },
    destroy: (stacks) => run("destroy", ...stacks, "--force"),
  };
}
