import { isAbsolute, resolve } from "node:path";
import { isInS3 } from "@fedmkt/shared/contracts/location.ts";
import type { ServingEnvironment } from "@fedmkt/shared/contracts/serving-environment.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import type { ArgsDef } from "citty";
import type { CommandContext } from "./command.ts";
import type { Io } from "./io.ts";

type Variable = keyof ServingEnvironment & string;

/** How an option's text becomes its variable's: a place is meant from where the command is called. */
type Reading = "text" | "place" | "adapters" | "keys";

interface ServeOption {
  variable: Variable;
  reads: Reading;
  valueHint: string;
  description: string;
  options?: string[];
}

const text = (variable: Variable, valueHint: string, description: string): ServeOption => ({
  ...{ variable, valueHint, description },
  reads: "text",
});
const place = (variable: Variable, valueHint: string, description: string): ServeOption => ({
  ...text(variable, valueHint, description),
  reads: "place",
});

/** Every option that is a setting of the endpoint, by its variable; what stands in neither has the schema's default. */
export const SERVE_OPTIONS: Readonly<Record<string, ServeOption>> = {
  model: place("FEDMKT_SERVE_MODEL", "folder|s3://…", "the base model's folder, as Hugging Face has it"),
  adapter: {
    ...text(
      "FEDMKT_SERVE_ADAPTERS",
      "name=folder",
      "serve a LoRA adapter (PEFT) under a name; may be given several times",
    ),
    reads: "adapters",
  },
  registry: place(
    "FEDMKT_SERVE_REGISTRY",
    "folder|s3://…",
    "follow what runs publish: a folder of runs, or a registry's bucket",
  ),
  party: text(
    "FEDMKT_SERVE_PARTY",
    "id",
    "of the registry only this party's adapters (default: all that fit the model)",
  ),
  name: text("FEDMKT_SERVE_NAME", "id", "the base model's name in requests (default: its folder's)"),
  host: text("FEDMKT_SERVE_HOST", "address", "where to listen (default: 127.0.0.1, this machine alone)"),
  port: text("FEDMKT_SERVE_PORT", "n", "default: 8080; 0: any that is free"),
  "metrics-port": text("FEDMKT_SERVE_METRICS_PORT", "n", "of Prometheus' metrics (default: 9090; 0: none)"),
  keys: {
    ...text("FEDMKT_SERVE_KEYS", "file|arn", "hashed keys of fedmkt keys (default: one key, made for this process)"),
    reads: "keys",
  },
  concurrent: text("FEDMKT_SERVE_CONCURRENT", "n", "answers computed at the same time (default: 16)"),
  queued: text("FEDMKT_SERVE_QUEUED", "n", "requests that may wait; more get 429 (default: 256)"),
  context: text("FEDMKT_SERVE_CONTEXT", "n", "most tokens of a prompt and its answer (default: the model's)"),
  threads: text("FEDMKT_SERVE_THREADS", "n", "threads to compute with (default: one a processor)"),
  "prefix-mebibytes": text(
    "FEDMKT_SERVE_PREFIX_MEBIBYTES",
    "n",
    "memory for beginnings that prompts share (default: 256)",
  ),
  device: {
    ...text("FEDMKT_DEVICE", "device", "what to compute on (default: cpu)"),
    options: ["cpu", "cuda"],
  },
  upstream: text("FEDMKT_SERVE_UPSTREAM", "url", "let another OpenAI server compute, such as vLLM's"),
  "gate-tolerance": text(
    "FEDMKT_SERVE_GATE_TOLERANCE",
    "n",
    "bits per byte by which a new adapter may be worse (default: 0)",
  ),
  "registry-adapters": text(
    "FEDMKT_SERVE_REGISTRY_ADAPTERS",
    "n",
    "adapters of the registry that are served at most (default: 64)",
  ),
  "registry-seconds": text("FEDMKT_SERVE_REGISTRY_SECONDS", "n", "how often the registry is looked at (default: 2)"),
  "adapter-folder": place(
    "FEDMKT_SERVE_ADAPTER_FOLDER",
    "folder",
    "where adapters of a registry in S3 are put (default: one of this process)",
  ),
  "runtime-adapters": place(
    "FEDMKT_SERVE_RUNTIME_ADAPTERS",
    "folder",
    "allow load_lora_adapter calls, for folders below this one",
  ),
  "tls-certificate": place("FEDMKT_SERVE_TLS_CERTIFICATE", "file", "PEM; with --tls-key: HTTPS"),
  "tls-key": place("FEDMKT_SERVE_TLS_KEY", "file", "PEM"),
  "pause-seconds": text(
    "FEDMKT_SERVE_PAUSE_SECONDS",
    "n",
    "when stopped: how long requests are still taken while /ready says 503 (default: 5, on loopback 0)",
  ),
  "drain-seconds": text("FEDMKT_SERVE_DRAIN_SECONDS", "n", "then: how long answers under way may take (default: 100)"),
};

/** The same as the command's arguments. */
export const SERVE_ARGUMENTS: ArgsDef = {
  ...Object.fromEntries(
    Object.entries(SERVE_OPTIONS).map(([name, { options, valueHint, description }]) => [
      name,
      options === undefined
        ? { type: "string" as const, valueHint, description }
        : { type: "enum" as const, options, description },
    ]),
  ),
  "no-keys": { type: "boolean", description: "answer everybody; only on loopback" },
};

/**
 * The endpoint's settings: the process's own, with what the options say in their place.
 * @throws InvalidInputError `BAD_ARGUMENT`
 */
export function serveVariables({ args, io }: Pick<CommandContext, "args" | "io">): NodeJS.ProcessEnv {
  const variables: NodeJS.ProcessEnv = { ...io.env };
  for (const [name, { variable, reads }] of Object.entries(SERVE_OPTIONS)) {
    const value = args[name];
    if (typeof value === "string") variables[variable] = READINGS[reads](value, io);
  }
  // citty reads --no-keys as the opposite of --keys
  if (args.keys === false) variables.FEDMKT_SERVE_KEYS = "none";
  return variables;
}

/** What refuses the settings names variables: a person knows the options by which they were given. */
export function nameOptions(message: string): string {
  const options = new Map(
    Object.entries(SERVE_OPTIONS).map(([name, { variable }]) => [variable as string, `--${name}`]),
  );
  return message.replaceAll(/FEDMKT_[A-Z_]+/g, (variable) => options.get(variable) ?? variable);
}

const READINGS: Readonly<Record<Reading, (value: string, io: Pick<Io, "cwd">) => string>> = {
  text: (value) => value,
  place: (value, io) => readPlace(value, io),
  adapters: readAdapters,
  keys: (value, io) => (value.startsWith("arn:") ? value : readPlace(value, io)),
};

function readPlace(value: string, { cwd }: Pick<Io, "cwd">): string {
  return isInS3(value) || isAbsolute(value) ? value : resolve(cwd, value);
}

/** Values of several options come joined by commas; a folder's name may have some, too. */
const NEXT_ADAPTER = /,(?=[A-Za-z0-9][A-Za-z0-9._:/@+-]*=)/;

function readAdapters(joined: string, io: Pick<Io, "cwd">): string {
  const adapters = new Map<string, string>();
  for (const value of joined.split(NEXT_ADAPTER)) {
    const [, name, folder] = /^([^=]+)=(.+)$/.exec(value) ?? [];
    if (folder === undefined)
      throw new InvalidInputError(
        "BAD_ARGUMENT",
        `fedmkt serve: --adapter: expected name=folder, got ${JSON.stringify(value)}`,
      );
    if (adapters.has(name))
      throw new InvalidInputError(
        "BAD_ARGUMENT",
        `fedmkt serve: --adapter: expected every name once, got ${name} twice`,
      );
    adapters.set(name, readPlace(folder, io));
  }
  return JSON.stringify(Object.fromEntries(adapters));
}
