import path from "node:path";
import { ACCOUNT, REGION } from "./assembly.ts";
import { REPOSITORY } from "./synthesize.ts";

export const LOCAL_CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" };

/** What this machine decides, whatever the template says: models and data may lie on its disk. */
const LOCAL_OVERRIDES = { FEDMKT_LOCAL_FILES: "true" };

/** Passed on from this process; everything else that functions and tasks see is said by the template or here. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "TEMP", "SystemRoot"];

/** Builds the environment of a function or a task from the template's variables: what leads to the local endpoint, theirs, ours. */
export type EnvironmentOf = (templateVariables: Record<string, string>) => Record<string, string>;

export function localEnvironment(endpoint: string): EnvironmentOf {
  const base: Record<string, string> = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCOUNT_ID: ACCOUNT,
    AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
    NODE_NO_WARNINGS: "1",
    // stripping and compiling some two hundred modules costs a worker a third of a second; the next one finds it done
    NODE_COMPILE_CACHE: path.join(REPOSITORY, ".cache", "compile"),
  };
  for (const name of INHERITED) if (process.env[name] !== undefined) base[name] = process.env[name];
  return (templateVariables) => ({ ...base, ...templateVariables, ...LOCAL_OVERRIDES });
}
