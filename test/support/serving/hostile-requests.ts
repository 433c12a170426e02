import { createRandom, type Random } from "../../../shared/src/core/numeric/random.ts";
import type { InferenceRequest } from "../../../shared/src/ports/inference.ts";
import { type RawExchange, writeRequest } from "./raw-exchange.ts";
import { sayWords } from "./scripted-inference.ts";
import { KEY } from "./started-layer.ts";

/** One attempt, and what may come of it. */
export interface HostileRequest extends RawExchange {
  kind: string;
  /** every answer's status is one of these */
  statuses: readonly number[];
  /** answers; more is a request that was smuggled in */
  most: number;
  /** the connection may end without any answer */
  maySilent: boolean;
}

type Attempt = Partial<HostileRequest> & Pick<HostileRequest, "send" | "statuses">;

const LONG_PROMPT = "tell me everything";

/** A script that answers one prompt with more than the buffers between two processes hold, and every other with three words. */
export async function* sayAtLength(asked: InferenceRequest, adapter: string | null): AsyncGenerator<string> {
  if (asked.kind !== "completion" || asked.body.prompt !== LONG_PROMPT) return yield* sayWords(asked, adapter);
  for (let piece = 0; piece < 4000; piece++) {
    // whatever really computes leaves room for others between two tokens
    await new Promise((resolve) => setImmediate(resolve));
    yield "x".repeat(4096);
  }
}

const authorised = { authorization: `Bearer ${KEY}` };
const json = { ...authorised, "content-type": "application/json" };
const VALID = { model: "base", prompt: "Once", max_tokens: 3 };
const VALID_CHAT = { model: "base", messages: [{ role: "user", content: "Once" }], stream: true };
/** What a smuggler hides in another's request: it has a key, and would be answered 200. */
const HIDDEN = `GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n\r\n`;

const KINDS: Readonly<Record<string, (random: Random) => Attempt>> = {
  "bytes changed in a body": (random) => {
    const [path, body] = pick(random, [
      ["/v1/completions", JSON.stringify(VALID)],
      ["/v1/chat/completions", JSON.stringify(VALID_CHAT)],
    ] as const);
    const bytes = Buffer.from(body);
    for (let change = below(random, 4); change >= 0; change--) bytes[below(random, bytes.length)] = below(random, 256);
    return { send: [writeRequest("POST", path, json, bytes)], statuses: [200, 400, 404] };
  },
  "a body cut off": (random) => {
    const body = JSON.stringify(VALID);
    return { send: [completion(body.slice(0, below(random, body.length)))], statuses: [400] };
  },
  "deep nesting": (random) => {
    const depth = 65 + below(random, 200_000);
    const [open, close] = pick(random, [
      ["[", "]"],
      ['{"a":', "}"],
    ]);
    const nested = open.repeat(depth) + (random.next() < 0.5 ? `1${close.repeat(depth)}` : "");
    return { send: [completion(`{"model":"base","prompt":${nested}}`)], statuses: [400] };
  },
  "huge numbers": (random) => {
    const field = pick(random, ["temperature", "top_p", "n", "max_tokens", "seed", "logprobs"]);
    const number = pick(random, [
      "1e999",
      "-1e999",
      "9".repeat(10_000),
      `0.${"0".repeat(9000)}1e9999`,
      "1e308",
      "-1",
      "18446744073709551616",
    ]);
    // of all of them only this is in range
    const fits = field === "seed" && number === "-1";
    return { send: [completion(`{"model":"base","prompt":"x","${field}":${number}}`)], statuses: [fits ? 200 : 400] };
  },
  "no UTF-8": (random) => {
    const body = Buffer.from(JSON.stringify({ ...VALID, prompt: "____" }));
    const bad = pick(random, [[0xff, 0xfe], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0x80]]);
    body.set(bad, body.indexOf("____"));
    return { send: [completion(body)], statuses: [400] };
  },
  "another kind of body": (random) => {
    const type = pick(random, [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/jsonp",
      "",
      ",",
      "application/json; charset=utf-7",
      "*/*",
      "a".repeat(5000),
    ]);
    return { send: [completion(JSON.stringify(VALID), { ...authorised, "content-type": type })], statuses: [415] };
  },
  "fields of any kind": (random) => {
    const value = () =>
      pick(random, [null, true, -1, 1.5, "", "x".repeat(2000), [], [[]], {}, { a: {} }, [null], [1, "x"]]);
    const names = [
      "model",
      "prompt",
      "stream",
      "n",
      "stop",
      "seed",
      "logprobs",
      "echo",
      "stream_options",
      "user",
      "__proto__",
      "constructor",
      "toString",
    ];
    const fields = names
      .filter(() => random.next() < 0.3)
      .map((name) => `${JSON.stringify(name)}:${JSON.stringify(value())}`);
    return {
      send: [completion(`{"prompt":"x","model":"base"${fields.map((field) => `,${field}`).join("")}}`)],
      statuses: [200, 400, 404],
    };
  },
  "lists without end": (random) => {
    const list = pick(random, ["-1,", "{},", "[],", '"x",', "0,"]).repeat(1000 + below(random, 20_000));
    const body = pick(random, [
      `{"model":"base","prompt":[${list}1.5]}`,
      `{"model":"base","messages":[${list}0]}`,
      `{"model":"base","prompt":"x","stop":[${list}0]}`,
    ]);
    return {
      send: [writeRequest("POST", pick(random, ["/v1/completions", "/v1/chat/completions"]), json, body)],
      statuses: [400],
    };
  },
  "names without end": (random) => {
    const text = pick(random, [
      "x".repeat(60_000),
      "\u0000",
      "../../etc/passwd",
      "base\r\nx-evil: 1",
      "\ud800",
      "{{7*7}}",
      "base'--",
    ]);
    return { send: [completion(JSON.stringify({ ...VALID, model: text }))], statuses: [400, 404] };
  },
  "many answers": (random) => {
    const prompts = Array(1 + below(random, 64)).fill("x");
    const n = 1 + below(random, 300);
    const fits = n <= 128 && n * prompts.length <= 128;
    return { send: [completion(JSON.stringify({ ...VALID, prompt: prompts, n }))], statuses: [fits ? 200 : 400] };
  },
  "two lengths": (random) => {
    const body = JSON.stringify(VALID) + HIDDEN;
    const [first, second] = pick(random, [
      [body.length, 5],
      [5, body.length],
      ["5, 6", ""],
      ["+5", ""],
      ["0x5", ""],
      ["-1", ""],
      ["5 5", ""],
    ]);
    return smuggled([`content-length: ${first}`, ...(second === "" ? [] : [`content-length: ${second}`])], body);
  },
  "a length beside chunks": (random) => {
    const coding = pick(random, [
      "chunked",
      "Chunked",
      " chunked",
      "chunked, identity",
      "identity",
      "xchunked",
      "chunked\r\ntransfer-encoding: identity",
      "\x0bchunked",
      "chunked;q=1",
    ]);
    return smuggled(["content-length: 6", `transfer-encoding: ${coding}`], `0\r\n\r\n${HIDDEN}`);
  },
  "broken chunks": (random) => {
    const chunks = pick(random, [
      `zz\r\n${HIDDEN}`,
      `5;\n\r\n12345\r\n0\r\n\r\n`,
      `-1\r\nx\r\n0\r\n\r\n`,
      `fffffffffffffffff\r\nx`,
      `1\r\nxy\r\n0\r\n\r\n${HIDDEN}`,
      `0x1\r\nx\r\n0\r\n\r\n${HIDDEN}`,
      `1 \nx\n0\n\n${HIDDEN}`,
    ]);
    return smuggled(["transfer-encoding: chunked"], chunks);
  },
  "broken headers": (random) => {
    const header = pick(random, [
      "content-length : 5",
      " content-length: 5",
      "x: a\0b",
      "x: a\nb: c",
      "x\r\n folded: 1",
      ": empty",
      "no colon",
      "transfer-encoding\x01: chunked",
      "x: \x7f\r",
      "content-length:\r\n 5",
    ]);
    return smuggled([header], HIDDEN);
  },
  "no HTTP at all": (random) => {
    const bytes = Buffer.from(Array.from({ length: 1 + below(random, 400) }, () => below(random, 256)));
    const send = pick(random, [
      bytes,
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
      Buffer.from("GET /health HTTP/9.9\r\n\r\n"),
    ]);
    return { send: [send], statuses: [400], maySilent: true, withinMs: 50 };
  },
  "paths and methods": (random) => {
    const path = pick(random, [
      "/v1/models/%zz",
      "/%",
      "/../../etc/passwd",
      `/${"a/".repeat(5000)}`,
      "//v1//models",
      "/v1/models/%2e%2e%2f",
      "/v1/completions?x=%ff",
      "*",
      "/v1/models/\u00ff",
      "http://evil/v1/completions",
      "/v1/models;x",
      "/__proto__",
      "/v1/models/constructor",
    ]);
    const method = pick(random, [
      "GET",
      "POST",
      "PUT",
      "DELETE",
      "TRACE",
      "PROPFIND",
      "OPTIONS",
      "HEAD",
      "PATCH",
      "QUERY",
      "get",
    ]);
    return {
      send: [writeRequest(method, path, authorised)],
      statuses: [204, 400, 404, 405, 415, 501],
      maySilent: true,
    };
  },
  "ways out of HTTP": (random) => {
    const send = pick(random, [
      writeRequest("GET", "/v1/models", {
        ...authorised,
        connection: "upgrade",
        upgrade: "websocket",
        "sec-websocket-key": "x",
      }),
      writeRequest("GET", "/v1/models", {
        ...authorised,
        connection: "upgrade, http2-settings",
        upgrade: "h2c",
        "http2-settings": "x",
      }),
      writeRequest("CONNECT", "evil:443", authorised),
      writeRequest("POST", "/v1/completions", { ...json, expect: "200-ok" }, JSON.stringify(VALID)),
    ]);
    return { send: [send], statuses: [200, 404, 417], maySilent: true, withinMs: 300 };
  },
  "headers without end": (random) => {
    const headers = Array.from({ length: 200 + below(random, 3000) }, (_, at) => [`x-${at}`, "y".repeat(100)]);
    return { send: [writeRequest("GET", "/health", Object.fromEntries(headers))], statuses: [431], maySilent: true };
  },
  "a header without end": (random) => ({
    send: [`GET /health HTTP/1.1\r\nx: ${"y".repeat(17_000 + below(random, 200_000))}`],
    statuses: [431],
    maySilent: true,
  }),
  "keys of others": (random) => {
    const key = pick(random, [
      "",
      "Bearer ",
      "Bearer x",
      `Bearer ${KEY.toUpperCase()}`,
      `Bearer ${KEY.slice(0, -1)}`,
      `Basic ${KEY}`,
      `Bearer ${"x".repeat(9000)}`,
      `Bearer ${KEY},${KEY}`,
      "Bearer \u00e9",
    ]);
    return { send: [completion(JSON.stringify(VALID), { ...json, authorization: key })], statuses: [401] };
  },
  "a body that is never sent": (random) => ({
    send: [
      writeRequest("POST", "/v1/completions", { ...json, "content-length": String(1 + below(random, 1_000_000)) }),
      "{",
    ],
    statuses: [408],
    withinMs: 20 + below(random, 60),
    maySilent: true,
  }),
  "a body too long": (random) => {
    const length = 5_000_000 + below(random, 1_000_000_000);
    return {
      send: [
        writeRequest("POST", "/v1/completions", { ...json, "content-length": String(length) }),
        Buffer.alloc(70_000, 0x20),
      ],
      statuses: [413],
      maySilent: true,
    };
  },
  "a header byte by byte": (random) => ({
    send: [..."GET /health HTTP/1.1\r\n"].slice(0, 3 + below(random, 15)),
    pauseMs: 2,
    withinMs: 80,
    statuses: [408],
    maySilent: true,
  }),
  "a client that goes": (random) => {
    const [method, path, body] = pick(random, [
      ["POST", "/v1/completions", JSON.stringify({ ...VALID, stream: true })],
      ["POST", "/v1/chat/completions", JSON.stringify(VALID_CHAT)],
      ["GET", "/v1/models", ""],
    ] as const);
    const bytes = writeRequest(method, path, json, body);
    return {
      send: [bytes.subarray(0, 1 + below(random, bytes.length))],
      pauseMs: below(random, 4),
      cuts: true,
      statuses: [200],
      maySilent: true,
    };
  },
  "a reader that takes nothing": (random) => ({
    send: [completion(JSON.stringify({ ...VALID, prompt: LONG_PROMPT, stream: random.next() < 0.7 }))],
    reads: false,
    withinMs: 150 + below(random, 300),
    statuses: [200],
    maySilent: true,
  }),
  "a request behind another": (random) => {
    const first = writeRequest("POST", "/v1/completions", { ...json, connection: "keep-alive" }, JSON.stringify(VALID));
    const behind = pick(random, ["\0\0\0", "GET / HTTP/1.1\r\nx", HIDDEN.slice(0, 20), "}}}}", "\r\n\r\n\r\n"]);
    return {
      send: [Buffer.concat([first, Buffer.from(behind)])],
      statuses: [200, 400, 408],
      most: 2,
      maySilent: true,
      withinMs: 300,
    };
  },
};

/** Attempts of all kinds, evenly and in any order; the same for the same seed. */
export function* hostileRequests(count: number, seed: number): Generator<HostileRequest> {
  const random = createRandom(seed);
  const names = Object.keys(KINDS);
  for (let at = 0; at < count; at++) {
    if (at % names.length === 0) random.shuffle(names);
    const kind = names[at % names.length];
    yield { kind, most: 1, maySilent: false, ...KINDS[kind](random) };
  }
}

/** What is wrong with what came back; null: nothing. */
export function judgeAnswer({ statuses, most, maySilent }: HostileRequest, answered: readonly number[]): string | null {
  if (answered.length === 0) return maySilent ? null : "expected an answer, got none";
  if (answered.length > most) return `expected at most ${most} answers, got ${answered.join(", ")}`;
  const other = answered.find((status) => !statuses.includes(status));
  return other === undefined ? null : `expected one of ${statuses.join(", ")}, got ${other}`;
}

function completion(body: string | Uint8Array, headers: Readonly<Record<string, string>> = json): Buffer {
  return writeRequest("POST", "/v1/completions", headers, body);
}

/** A request whose end two servers might see in different places, with another behind the one end. */
function smuggled(headers: readonly string[], body: string): Attempt {
  const head = [
    "POST /v1/completions HTTP/1.1",
    "host: x",
    `authorization: Bearer ${KEY}`,
    "content-type: application/json",
    ...headers,
  ];
  return {
    send: [Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`, "latin1")],
    statuses: [400],
    maySilent: true,
    withinMs: 300,
  };
}

function below(random: Random, end: number): number {
  return Math.floor(random.next() * end);
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)];
}
