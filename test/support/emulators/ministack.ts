import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { answers } from "./answers.ts";
import { type Emulator, pathWithThisNode } from "./emulator.ts";
import { freePort } from "./free-port.ts";
import { startGuarded } from "./guarded-process.ts";
import { findPython } from "./python.ts";
import { virtualEnvironment } from "./virtual-environment.ts";
import { waitUntilReady } from "./wait-until-ready.ts";

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const REGION = "us-east-1";

/**
 * MiniStack on a free port of the loopback, from a virtual environment of its own, with its files below `folder`.
 * @param withIam - policies decide, over TLS by an authority of its own; without, whoever asks may do everything, over HTTP
 * @param account - twelve digits: also the owner's access key, as MiniStack has it
 * @throws Error where there is no Python 3.11 or later
 */
export async function startMinistack(options: {
  folder: string;
  account: string;
  withIam: boolean;
}): Promise<Emulator> {
  const { folder, account, withIam } = options;
  const python = findPython(11);
  if (python === null) throw new Error("the integration tests need Python 3.11 or later, with venv");
  const programs = await virtualEnvironment({
    name: "ministack",
    python,
    requirements: file("./ministack-requirements.txt"),
  });
  const at = (name: string) => join(folder, name);
  for (const name of ["home", "tmp", "certificates"]) mkdirSync(at(name), { recursive: true });
  // functions run from below it as plain scripts: a package.json that somebody left in a folder above would make modules of them
  writeFileSync(join(at("tmp"), "package.json"), "{}");
  if (withIam) execFileSync(join(programs, "python"), [file("./make-certificates.py"), at("certificates")]);

  const port = await freePort();
  const authority = withIam ? at("certificates/ca.pem") : null;
  const program = startGuarded(join(programs, "python"), [file("./start-ministack.py")], {
    log: at("ministack.log"),
    folder,
    environment: {
      PATH: pathWithThisNode(),
      HOME: at("home"),
      TMPDIR: at("tmp"),
      BIND_HOST: "127.0.0.1",
      GATEWAY_PORT: String(port),
      MINISTACK_HOST: "localhost",
      MINISTACK_REGION: REGION,
      MINISTACK_ACCOUNT_ID: account,
      S3_DATA_DIR: at("s3"),
      STATE_DIR: at("state"),
      // would listen on every interface
      IOT_MTLS_ENABLED: "0",
      SFTP_ENABLED: "0",
      // tasks and functions are processes, also where there is a Docker
      DOCKER_HOST: `unix://${at("no-docker")}`,
      LOG_LEVEL: "WARNING",
      ...(withIam && {
        AUTH: "true",
        USE_SSL: "1",
        MINISTACK_SSL_CERT: at("certificates/server.pem"),
        MINISTACK_SSL_KEY: at("certificates/server.key"),
        // functions are its children and inherit these
        NODE_EXTRA_CA_CERTS: authority!,
        AWS_CA_BUNDLE: authority!,
      }),
    },
  });
  await waitUntilReady("MiniStack", program, () => answers(port));
  return {
    name: withIam ? "ministack-with-iam" : "ministack",
    endpoint: `${withIam ? "https" : "http"}://localhost:${port}`,
    region: REGION,
    account,
    owner: { accessKeyId: account, secretAccessKey: "test" },
    enforcesPolicies: withIam,
    hasTables: true,
    ownLogGroups: null,
    authority,
    output: program.output,
    stop: program.stop,
  };
}
