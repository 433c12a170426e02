import { findJsonKeyProblem } from "../../formats/json-keys.ts";
import { type FailedAnswer, invalid, parseErrorBody, unavailable } from "./upstream-failure.ts";

/** Answers that are no stream: lists of models, errors. */
const MAX_BODY = 8 * 1024 * 1024;
const MAX_DEPTH = 32;

/** How long is waited for the server behind. Node's fetch itself waits 300 s at most for either. */
export interface UpstreamTimeouts {
  /** for the head of an answer, and then for the first of its body: meanwhile its request may wait its turn there */
  beginMs: number;
  /** for anything more */
  silenceMs: number;
  /** for the whole of a call that is no request: whoever looks after adapters, or ends the gateway, waits for it */
  callMs: number;
}

export interface UpstreamClientOptions {
  /** such as http://127.0.0.1:8000, with or without /v1 behind it */
  url: string;
  /** bearer key; null: none is sent */
  key: string | null;
  timeouts: UpstreamTimeouts;
}

/** An answer whose body is still to come. */
export interface UpstreamAnswer {
  status: number;
  retryAfter: string | null;
  contentType: string;
  body: AsyncIterable<Uint8Array>;
}

/** Calls to one server by Node's fetch. */
export class UpstreamClient {
  readonly #options: UpstreamClientOptions;
  readonly #base: string;

  constructor(options: UpstreamClientOptions) {
    this.#options = options;
    this.#base = options.url.replace(/\/+$/, "").replace(/\/v1$/, "");
  }

  /**
   * Sends a request and hands its answer over with the first byte. However the work ends, the connection is let go: a server that
   * is still at work ends its own.
   *
   * @param path - such as /v1/models
   * @param body - sent as JSON by POST; null: GET
   * @throws PostponedRequest `UPSTREAM_UNAVAILABLE`; the signal's reason
   */
  async *stream<T>(
    path: string,
    body: unknown,
    signal: AbortSignal,
    read: (answer: UpstreamAnswer) => AsyncIterable<T>,
  ): AsyncGenerator<T, void> {
    const { beginMs } = this.#options.timeouts;
    const ending = new AbortController();
    const silence = new Silence(ending, beginMs);
    const whole = AbortSignal.any([signal, ending.signal]);
    try {
      const response = await fetch(`${this.#base}${path}`, this.#request(body, whole));
      yield* read({
        status: response.status,
        retryAfter: response.headers.get("retry-after"),
        contentType: response.headers.get("content-type") ?? "",
        body: heard(response.body, silence, this.#options.timeouts),
      });
    } catch (error) {
      signal.throwIfAborted();
      throw isNetwork(error) ? unavailable("no answer, or one that broke off", error) : error;
    } finally {
      silence.end();
      ending.abort();
    }
  }

  /** A call whose answer is small. @returns its JSON, or its text where it is none */
  async call(path: string, body: unknown): Promise<{ status: number; value: unknown; failed: FailedAnswer | null }> {
    const { callMs } = this.#options.timeouts;
    const ending = new AbortController();
    const late = () => ending.abort(unavailable(`expected its answer to ${path} within ${callMs / 1000} s, got none`));
    const timer = setTimeout(late, callMs);
    const answers = this.stream(path, body, ending.signal, async function* ({ status, retryAfter, body }) {
      const value = await readJson(body);
      const failed = status < 400 ? null : { status, retryAfter, body: parseErrorBody(value) };
      yield { status, value, failed };
    });
    try {
      for await (const answer of answers) return answer;
      throw unavailable("no answer");
    } finally {
      clearTimeout(timer);
    }
  }

  #request(body: unknown, signal: AbortSignal): RequestInit {
    const { key } = this.#options;
    return {
      method: body === null ? "GET" : "POST",
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === null ? {} : { "content-type": "application/json" }),
      },
      ...(body === null ? {} : { body: JSON.stringify(body) }),
      redirect: "error",
      signal,
    };
  }
}

/** Reads a small body: JSON, else text. */
export async function readJson(body: AsyncIterable<Uint8Array>): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_BODY) throw invalid(`expected an answer of at most ${MAX_BODY} bytes, got a longer one`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  return parseJson(text) ?? text;
}

/** @returns null where it is no JSON, or JSON that is nested too deeply */
export function parseJson(text: string): unknown {
  if (findJsonKeyProblem(text, MAX_DEPTH, () => "") !== null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Ends what is waited for once it has been waited for so long. */
class Silence {
  readonly #ending: AbortController;
  #timer: NodeJS.Timeout | undefined;

  constructor(ending: AbortController, ms: number) {
    this.#ending = ending;
    this.wait(ms);
  }

  wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#ending.abort(unavailable(`expected something within ${ms / 1000} s, nothing came`)),
      ms,
    );
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** A body's bytes. What whoever reads them takes for his own work is no silence. */
async function* heard(
  body: Response["body"],
  silence: Silence,
  { beginMs, silenceMs }: UpstreamTimeouts,
): AsyncGenerator<Uint8Array, void> {
  silence.wait(beginMs);
  for await (const chunk of body ?? []) {
    silence.end();
    yield chunk;
    silence.wait(silenceMs);
  }
  silence.end();
}

/** As fetch throws it where there is no connection, or one breaks off: what happened is its cause. */
function isNetwork(error: unknown): boolean {
  const { name, cause } = error as Error;
  return name === "TypeError" && cause !== undefined;
}
