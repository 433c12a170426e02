import { holdKeys } from "../../../shared/src/adapters/keys/held-keys.ts";
import { exchangeRaw, writeRequest } from "./raw-exchange.ts";
import { type Script, sayWords } from "./scripted-inference.ts";
import { ADMIN_KEY, KEY, keyEntry, startLayer } from "./started-layer.ts";

/** One request and the bytes that answer it. */
export interface WireExchange {
  name: string;
  /** what the inference does */
  script: keyof typeof SCRIPTS;
  isReady: boolean;
  /** as sent: text of bytes below 256 */
  request: string;
  /** as answered, whose `date` is the epoch's */
  answer: string;
}

const SCRIPTS = {
  words: sayWords,
  breaksOff: async function* () {
    yield "Once";
    throw new Error("inside");
  },
} satisfies Record<string, Script>;

const authorised = { authorization: `Bearer ${KEY}` };
const json = { ...authorised, "content-type": "application/json" };
const admin = { ...json, authorization: `Bearer ${ADMIN_KEY}` };
const USER = [{ role: "user", content: "Tell me a story" }];

const chat = (more: object, headers: Record<string, string> = json) =>
  writeRequest("POST", "/v1/chat/completions", headers, JSON.stringify({ model: "base", messages: USER, ...more }));
const completion = (more: object, headers: Record<string, string> = json) =>
  writeRequest("POST", "/v1/completions", headers, JSON.stringify({ model: "base", prompt: "Once", ...more }));
const adapter = (act: string, body: object) =>
  writeRequest("POST", `/v1/${act}_lora_adapter`, admin, JSON.stringify(body));

/** What is recorded, each against an endpoint of its own. */
export const WIRE_REQUESTS: readonly (Omit<WireExchange, "request" | "answer"> & { request: Buffer })[] = (
  [
    ["models", writeRequest("GET", "/v1/models", authorised)],
    ["one model", writeRequest("GET", "/v1/models/clinic-a", authorised)],
    ["models, the headers alone", writeRequest("HEAD", "/v1/models", authorised)],
    ["methods", writeRequest("OPTIONS", "/v1/chat/completions", authorised)],
    ["registry", writeRequest("GET", "/v1/registry", authorised)],
    ["health", writeRequest("GET", "/health", {})],
    ["ready", writeRequest("GET", "/ready", {})],
    ["chat", chat({})],
    ["chat, several answers", chat({ n: 2, seed: 5, temperature: 0.5, user: "me" })],
    ["chat, streamed", chat({ stream: true })],
    ["chat, streamed with usage", chat({ stream: true, stream_options: { include_usage: true } })],
    ["completion by an adapter", completion({ model: "clinic-a" })],
    ["completion, streamed", completion({ stream: true, n: 2 })],
    ["a key's rates", completion({}, { ...json, authorization: `Bearer ${KEY.replace("k", "r")}` })],
    ["an adapter loaded", adapter("load", { lora_name: "own", lora_path: "/adapters/own" })],
    ["an adapter that is not there", adapter("unload", { lora_name: "own" })],
    ["no key", writeRequest("GET", "/v1/models", {})],
    ["a field out of range", chat({ temperature: 3 })],
    ["a field that is not supported", chat({ tools: [{ type: "function" }] })],
    ["no JSON", writeRequest("POST", "/v1/completions", json, "{")],
    ["another's act", writeRequest("POST", "/v1/load_lora_adapter", json, "{}")],
    ["an unknown model", completion({ model: "nobody" })],
    ["an unknown path", writeRequest("GET", "/v1/nothing", authorised)],
    ["another method", writeRequest("GET", "/v1/completions", authorised)],
    [
      "another kind of body",
      writeRequest("POST", "/v1/completions", { ...authorised, "content-type": "text/plain" }, "x"),
    ],
    ["no HTTP", Buffer.from("hello\r\n\r\n")],
    ["a failure", completion({}), "breaksOff"],
    ["a failure in a stream", completion({ stream: true }), "breaksOff"],
    ["not ready", chat({}), "words", false],
  ] as [string, Buffer, WireExchange["script"]?, boolean?][]
).map(([name, request, script = "words", isReady = true]) => ({ name, request, script, isReady }));

const KEYS = holdKeys({
  version: 1,
  keys: [
    keyEntry(KEY, { id: "somebody" }),
    keyEntry(ADMIN_KEY, { id: "operator", admin: true }),
    keyEntry(KEY.replace("k", "r"), { id: "rated", requestsPerMinute: 60, tokensPerMinute: 1000 }),
  ],
});

/** Sends a request to a fresh endpoint whose ids and answers are always the same, and gives what came back. */
export async function answerOnWire({
  script,
  isReady,
  request,
}: Pick<WireExchange, "script" | "isReady"> & { request: Uint8Array }) {
  let ids = 0;
  const layer = await startLayer({}, { keys: KEYS, isReady: () => isReady, newRequestId: () => `req_${++ids}` });
  layer.inference.script(SCRIPTS[script]);
  const answer = await exchangeRaw(layer.url, { send: [request] });
  await layer.close(0);
  return answer.replace(/^date: .*$/gim, "date: Thu, 01 Jan 1970 00:00:00 GMT");
}
