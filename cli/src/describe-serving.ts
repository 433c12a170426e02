import type { Serving } from "@fedmkt/gpu-workers/serving/serving.ts";
import { formatBytes } from "@fedmkt/shared/report/table.ts";

const EXAMPLE_TOKENS = 32;

/** What a person wants to know who has started an endpoint: where it is, what it serves, and a line to try it by. */
export function describeServing(serving: Serving): string {
  const { url, metricsUrl, model, adapters, key, memory } = serving;
  const rows: [string, string][] = [
    ["address", `${url}/v1${metricsUrl === null ? "" : `; metrics ${metricsUrl}`}`],
    ["model", `${model.id}, ${model.contextTokens} tokens of context`],
    ["adapters", adapters.length === 0 ? "none" : adapters.join(", ")],
    ...(memory === null ? [] : [["memory", describeMemory(memory)] as [string, string]]),
    ["key", describeKey(serving)],
  ];
  return [
    "",
    ...rows.map(([name, value]) => `  ${name.padEnd(9)} ${value}`),
    "",
    writeCurl(serving, adapters[0] ?? model.id, key),
    "",
    "Ctrl-C ends it once the answers under way are given.",
    "",
  ].join("\n");
}

function describeMemory({ weightBytes, tokenBytes, tokens }: NonNullable<Serving["memory"]>): string {
  const room = tokens === null ? "" : `; ${tokens.toLocaleString("en-US")} tokens fit beside them`;
  return `${formatBytes(weightBytes)} of weights, ${formatBytes(tokenBytes)} a token of text${room}`;
}

function describeKey({ key, asksForKeys }: Serving): string {
  if (!asksForKeys) return "none is asked for: everybody on this machine is answered";
  return key === null ? "one of --keys" : `${key} (of this process alone; fedmkt keys makes ones that last)`;
}

/** A line for a shell: OpenAI's simplest request that the model can answer. */
function writeCurl({ url, hasChat, asksForKeys, certificate }: Serving, model: string, key: string | null): string {
  const asked = hasChat
    ? { model, messages: [{ role: "user", content: "Who are you?" }], max_tokens: EXAMPLE_TOKENS }
    : { model, prompt: "Once upon a time", max_tokens: EXAMPLE_TOKENS };
  return [
    `curl ${url}/v1/${hasChat ? "chat/completions" : "completions"}`,
    ...(certificate === null ? [] : [`--cacert ${quote(certificate)}`]),
    ...(asksForKeys ? [`-H "Authorization: Bearer ${key ?? "$FEDMKT_KEY"}"`] : []),
    `-H "Content-Type: application/json"`,
    `-d ${quote(JSON.stringify(asked))}`,
  ].join(" \\\n  ");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
