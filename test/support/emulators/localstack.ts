import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Emulator, pathWithThisNode } from "./emulator.ts";
import { freePort } from "./free-port.ts";
import { startGuarded } from "./guarded-process.ts";
import { findPython } from "./python.ts";
import { virtualEnvironment } from "./virtual-environment.ts";
import { waitUntilReady } from "./wait-until-ready.ts";

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const REGION = "us-east-1";

/** Its packages say 3.12, but this version imports what came with 3.13 (`warnings.deprecated`). */
const PYTHON = 13;

/** Why LocalStack cannot be started here; null where it can. */
export function localstackLacks(): string | null {
  return findPython(PYTHON) === null
    ? `LocalStack in host mode needs Python 3.${PYTHON} or later, and none was found`
    : null;
}

/**
 * LocalStack in host mode on a free port of the loopback, from a virtual environment of its own, with its files below `folder`;
 * functions as processes and ECS by the package in localstack/.
 * @param account - twelve digits: also the owner's access key, as LocalStack has it
 */
export async function startLocalstack(options: { folder: string; account: string }): Promise<Emulator> {
  const { folder, account } = options;
  const python = findPython(PYTHON);
  if (python === null) throw new Error(localstackLacks()!);
  const programs = await virtualEnvironment({
    name: "localstack",
    python,
    requirements: file("./localstack-requirements.txt"),
    ownPackage: file("./localstack"),
  });
  const at = (name: string) => join(folder, name);
  for (const name of ["home", "tmp", "volume"]) mkdirSync(at(name), { recursive: true });
  const port = await freePort();
  const program = startGuarded(join(programs, "python"), ["-m", "localstack.runtime.main"], {
    log: at("localstack.log"),
    folder,
    environment: {
      PATH: pathWithThisNode(),
      HOME: at("home"),
      TMPDIR: at("tmp"),
      FILESYSTEM_ROOT: at("volume"),
      GATEWAY_SERVER: "hypercorn",
      GATEWAY_LISTEN: `127.0.0.1:${port}`,
      LOCALSTACK_HOST: `localhost:${port}`,
      // neither a name server of its own, nor a certificate from the network, nor a note home
      DNS_ADDRESS: "0",
      SKIP_SSL_CERT_DOWNLOAD: "1",
      DISABLE_EVENTS: "1",
      SQS_ENDPOINT_STRATEGY: "path",
      LAMBDA_RUNTIME_EXECUTOR: "processes",
      // dashboards, GPU capacity and what else is looked at on the template
      CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES: "1",
    },
  });
  const endpoint = `http://localhost:${port}`;
  await waitUntilReady("LocalStack", program, async () => (await fetch(`${endpoint}/_localstack/health`)).ok);
  return {
    name: "localstack",
    endpoint,
    region: REGION,
    account,
    owner: { accessKeyId: account, secretAccessKey: "test" },
    enforcesPolicies: false,
    hasTables: false,
    ownLogGroups: "/aws/lambda/",
    authority: null,
    output: program.output,
    stop: program.stop,
  };
}

/** A LocalStack that somebody else has started, say in Docker: it is neither configured nor stopped here. */
export function runningLocalstack(options: { endpoint: string; account: string }): Emulator {
  return {
    name: "localstack",
    endpoint: options.endpoint,
    region: REGION,
    account: options.account,
    owner: { accessKeyId: options.account, secretAccessKey: "test" },
    enforcesPolicies: false,
    hasTables: false,
    ownLogGroups: "/aws/lambda/",
    authority: null,
    output: () => `the log of ${options.endpoint} is not ours`,
    stop: async () => undefined,
  };
}
