import { resolve } from "node:path";
import { makeKey } from "@fedmkt/shared/adapters/keys/make-key.ts";
import { type ApiKey, apiKeyId } from "@fedmkt/shared/contracts/api-keys.ts";
import { InvalidInputError } from "@fedmkt/shared/core/errors.ts";
import { type Command, type CommandContext, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { readDuration } from "../duration-argument.ts";
import { addKey, endOf, type KeyLimits, removeKey, rotateKey } from "../keys/change-keys.ts";
import { FileKeys } from "../keys/file-keys.ts";
import type { KeyStore } from "../keys/key-store.ts";
import { readNumber } from "../number-argument.ts";

const ACTIONS = ["add", "list", "rotate", "remove"] as const;
type Action = (typeof ACTIONS)[number];
/** Which options belong to which actions; --keys, --secret and --json to all. */
const ONLY_OF: Readonly<Record<string, readonly Action[]>> = {
  "requests-per-minute": ["add", "rotate"],
  "tokens-per-minute": ["add", "rotate"],
  expires: ["add", "rotate"],
  admin: ["add"],
  overlap: ["rotate"],
};
const DEFAULT_OVERLAP = "24h";

export const command: Command = {
  meta: { name: "keys", description: "make, list, replace and revoke the keys of an inference endpoint" },
  args: {
    action: { type: "positional", required: true, description: `one of ${ACTIONS.join(", ")}` },
    id: { type: "positional", required: false, description: "whom the key is for, as logs and metrics name it" },
    keys: {
      type: "string",
      valueHint: "file",
      description: "where the keys' hashes stand: the file of fedmkt serve --keys",
    },
    secret: { type: "string", valueHint: "name|arn", description: "… or the secret of AWS Secrets Manager" },
    "requests-per-minute": {
      type: "string",
      valueHint: "n",
      description: "add, rotate: most requests (default: no limit)",
    },
    "tokens-per-minute": {
      type: "string",
      valueHint: "n",
      description: "add, rotate: most tokens of prompts and answers (default: no limit)",
    },
    expires: { type: "string", valueHint: "90d|date", description: "add, rotate: when the key ends (default: never)" },
    admin: { type: "boolean", description: "add: may load and unload adapters" },
    overlap: {
      type: "string",
      valueHint: "duration",
      description: `rotate: how long the old key still holds (default: ${DEFAULT_OVERLAP})`,
    },
    ...JSON_ARGUMENT,
  },
  examples: [
    "fedmkt keys add ward --keys keys.json --requests-per-minute 60 --expires 90d",
    "fedmkt keys list --keys keys.json",
    "fedmkt keys rotate ward --secret fedmkt-prod-inference-keys --overlap 24h",
    "fedmkt keys remove ward --keys keys.json",
  ],
  async run(context): Promise<Outcome> {
    const { args } = context;
    const action = args.action as Action;
    if (!ACTIONS.includes(action)) throw refused(`expected ${ACTIONS.join(", ")}, got ${JSON.stringify(action)}`);
    for (const [option, actions] of Object.entries(ONLY_OF))
      if (args[option] !== undefined && !actions.includes(action))
        throw refused(`--${option} is for ${actions.join(" and ")} alone`, action);
    if (action === "list" && args.id !== undefined)
      throw refused(`expected no ID, got ${JSON.stringify(args.id)}`, action);
    const store = await openStore(context);
    if (action === "list") return list(context, store);
    const id = readId(action, args.id as string | undefined);
    if (action === "remove") {
      await store.change((keys) => removeKey(keys, id, store.place));
      return { data: { id, removed: true }, text: `${id}: has no key any more; ${takenUp(context)}` };
    }
    return give(context, store, action, id);
  },
};

async function openStore({ args, io, dependencies }: CommandContext): Promise<KeyStore> {
  const { keys: file, secret } = args as { keys?: string; secret?: string };
  if ((file === undefined) === (secret === undefined)) throw refused("expected one of --keys and --secret");
  return file === undefined ? dependencies.openKeySecret(secret!) : new FileKeys(resolve(io.cwd, file), file);
}

async function give(context: CommandContext, store: KeyStore, action: "add" | "rotate", id: string): Promise<Outcome> {
  const { args, io, dependencies } = context;
  const nowMs = dependencies.nowMs();
  const limits = readLimits(action, args, nowMs);
  const overlapMs = readDuration("fedmkt keys: --overlap", (args.overlap as string | undefined) ?? DEFAULT_OVERLAP);
  const { key, sha256 } = makeKey();
  await store.change((keys) =>
    action === "add"
      ? addKey(keys, { id, sha256, ...limits }, store.place)
      : rotateKey(keys, { id, sha256, nowMs, overlapMs, changes: limits }, store.place),
  );
  const before =
    action === "add"
      ? ""
      : `; the one before ends ${overlapMs === 0 ? "now" : `at ${new Date(nowMs + overlapMs).toISOString()}`}`;
  if (args.json !== true)
    io.stderr.write(`${id}: this key is shown once, and stored nowhere; ${takenUp(context)}${before}\n`);
  // alone on standard output, so that it can go into a file
  return { data: { id, key, ...limits }, text: key };
}

async function list({ dependencies }: CommandContext, store: KeyStore): Promise<Outcome> {
  const { keys } = await store.read();
  const nowMs = dependencies.nowMs();
  const listed = keys.map(({ sha256, ...rest }) => ({
    ...rest,
    hash: sha256.slice(0, 12),
    expired: endOf(rest) <= nowMs,
  }));
  return {
    data: listed,
    text:
      listed.length === 0
        ? `no keys in ${store.place}; fedmkt keys add ID makes one`
        : listed.map((key) => describe(key)).join("\n"),
  };
}

function describe({
  id,
  hash,
  expiresAt,
  expired,
  admin,
  requestsPerMinute,
  tokensPerMinute,
}: Omit<ApiKey, "sha256"> & { hash: string; expired: boolean }): string {
  const ends = expiresAt === undefined ? "does not end" : `${expired ? "ended" : "ends"} ${expiresAt}`;
  const rates = [
    requestsPerMinute === undefined ? null : `${requestsPerMinute} requests/minute`,
    tokensPerMinute === undefined ? null : `${tokensPerMinute} tokens/minute`,
    admin === true ? "admin" : null,
  ].filter((said) => said !== null);
  return [`${id}: ${ends}`, ...rates, `hash ${hash}…`].join("; ");
}

function takenUp({ args }: Pick<CommandContext, "args">): string {
  return args.keys === undefined
    ? "endpoints take the change up within a minute"
    : "a running fedmkt serve takes the change up";
}

function readId(action: Action, text: string | undefined): string {
  if (text === undefined) throw refused("expected ID (whom the key is for), got none", action);
  const parsed = apiKeyId.safeParse(text);
  if (parsed.success) return parsed.data;
  throw refused(`ID: ${parsed.error.issues[0].message}, got ${JSON.stringify(text)}`, action);
}

function readLimits(action: Action, args: CommandContext["args"], nowMs: number): KeyLimits {
  const number = (option: string, most: number) => {
    const text = args[option] as string | undefined;
    return text === undefined ? undefined : readNumber(`fedmkt keys ${action}: --${option}`, text, { least: 1, most });
  };
  const requestsPerMinute = number("requests-per-minute", 1_000_000);
  const tokensPerMinute = number("tokens-per-minute", 1_000_000_000);
  return {
    ...(requestsPerMinute !== undefined && { requestsPerMinute }),
    ...(tokensPerMinute !== undefined && { tokensPerMinute }),
    ...(args.expires !== undefined && { expiresAt: readEnd(action, args.expires as string, nowMs) }),
    ...(args.admin === true && { admin: true }),
  };
}

/** A time from now on, or a date, which means its first moment in UTC. */
function readEnd(action: Action, text: string, nowMs: number): string {
  const option = `fedmkt keys ${action}: --expires`;
  const isDate = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z)?$/.test(text);
  const endMs = isDate ? Date.parse(text) : nowMs + readDuration(option, text);
  if (endMs > nowMs) return new Date(endMs).toISOString();
  throw new InvalidInputError("BAD_ARGUMENT", `${option}: expected a time to come, got ${text}`);
}

function refused(what: string, action?: Action): InvalidInputError {
  return new InvalidInputError("BAD_ARGUMENT", `fedmkt keys${action === undefined ? "" : ` ${action}`}: ${what}`);
}
