import { randomBytes } from "node:crypto";
import os from "node:os";
import path from "node:path";
import { cacheFolder } from "../cache-folder.ts";
import { ACCOUNT, REGION } from "./assembly.ts";

export interface LocalCredentials {
  accessKeyId: string;
  secretAccessKey: string;
}

/** Credentials of one start: the front serves whoever holds them, this process and its children, and nobody else. */
export function makeLocalCredentials(): LocalCredentials {
  const secret = () => randomBytes(20).toString("hex");
  return { accessKeyId: `LOCAL${secret()}`, secretAccessKey: secret() };
}

/** What this machine decides, whatever the template says: models and data may lie on its disk, which nobody takes away … */
const LOCAL_OVERRIDES = { FEDMKT_LOCAL_FILES: "true", FEDMKT_SPOT: "false" };
/** … and nobody is paid for it by the hour. */
const NOT_HERE = ["FEDMKT_INSTANCE_TYPE"];

/** Passed on from this process; everything else that functions and tasks see is said by the template or here. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "TEMP", "SystemRoot"];

/** Builds the environment of a function or a task from the template's variables: what leads to the local endpoint, theirs, ours. */
export type EnvironmentOf = (templateVariables: Record<string, string>) => Record<string, string>;

export function localEnvironment(endpoint: string, credentials: LocalCredentials): EnvironmentOf {
  const base: Record<string, string> = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCOUNT_ID: ACCOUNT,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
    // the user's own settings (endpoints, profiles, FIPS) are about the cloud
    AWS_CONFIG_FILE: os.devNull,
    AWS_SHARED_CREDENTIALS_FILE: os.devNull,
    NODE_NO_WARNINGS: "1",
    // stripping and compiling some two hundred modules costs a worker a third of a second; the next one finds it done
    NODE_COMPILE_CACHE: path.join(cacheFolder(), "compile"),
  };
  for (const name of INHERITED) if (process.env[name] !== undefined) base[name] = process.env[name];
  return (templateVariables) => {
    const variables = { ...base, ...templateVariables, ...LOCAL_OVERRIDES };
    return Object.fromEntries(Object.entries(variables).filter(([name]) => !NOT_HERE.includes(name)));
  };
}
