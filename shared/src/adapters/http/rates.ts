import { RateLimiterMemory, type RateLimiterRes } from "rate-limiter-flexible";
import { PostponedRequest } from "../../contracts/openai/errors.ts";
import type { KeyHolder } from "../../ports/key-chain.ts";

const MINUTE_SECONDS = 60;

type Kind = "requests" | "tokens";
/** By name, as OpenAI sends them. */
export type RateHeaders = Record<string, string>;

/**
 * How much each key's holder may ask in a minute, which begins with the first request of it. A request counts when it comes; tokens
 * count once they are known, when an answer has ended: whoever has used up a minute's waits for the next.
 */
export class Rates {
  /** by kind and limit: keys with one limit share what counts them */
  readonly #limiters = new Map<string, RateLimiterMemory>();

  /**
   * @returns OpenAI's `x-ratelimit-*` headers, of those rates that the holder has
   * @throws PostponedRequest `RATE_LIMIT_EXCEEDED` with the headers in `headers`
   */
  async take({ id, requestsPerMinute, tokensPerMinute }: KeyHolder): Promise<RateHeaders> {
    const headers: RateHeaders = {};
    if (requestsPerMinute !== undefined) {
      const used = await this.#limiter("requests", requestsPerMinute).penalty(id);
      Object.assign(headers, writeHeaders("requests", requestsPerMinute, used));
      if (used.consumedPoints > requestsPerMinute) throw new RateExceeded("requests", requestsPerMinute, used, headers);
    }
    if (tokensPerMinute !== undefined) {
      const used = await this.#limiter("tokens", tokensPerMinute).get(id);
      Object.assign(headers, writeHeaders("tokens", tokensPerMinute, used));
      if (used !== null && used.consumedPoints >= tokensPerMinute)
        throw new RateExceeded("tokens", tokensPerMinute, used, headers);
    }
    return headers;
  }

  /** Counts what an answer took. */
  async spend({ id, tokensPerMinute }: KeyHolder, tokens: number): Promise<void> {
    if (tokensPerMinute !== undefined && tokens > 0) await this.#limiter("tokens", tokensPerMinute).penalty(id, tokens);
  }

  #limiter(kind: Kind, points: number): RateLimiterMemory {
    const name = `${kind} ${points}`;
    const known = this.#limiters.get(name);
    if (known !== undefined) return known;
    const limiter = new RateLimiterMemory({ points, duration: MINUTE_SECONDS });
    this.#limiters.set(name, limiter);
    return limiter;
  }
}

/** A key's holder has used up a minute's requests or tokens. */
export class RateExceeded extends PostponedRequest {
  readonly headers: RateHeaders;

  constructor(kind: Kind, limit: number, used: RateLimiterRes, headers: RateHeaders) {
    const seconds = Math.max(1, Math.ceil(used.msBeforeNext / 1000));
    super(
      "RATE_LIMIT_EXCEEDED",
      `expected at most ${limit} ${kind} a minute with this key: try again in ${seconds} s`,
      { status: 429, retryAfterSeconds: seconds, type: kind },
    );
    this.headers = headers;
  }
}

function writeHeaders(kind: Kind, limit: number, used: RateLimiterRes | null): RateHeaders {
  return {
    [`x-ratelimit-limit-${kind}`]: String(limit),
    [`x-ratelimit-remaining-${kind}`]: String(used === null ? limit : Math.max(0, limit - used.consumedPoints)),
    [`x-ratelimit-reset-${kind}`]: `${used === null ? 0 : Math.ceil(used.msBeforeNext / 1000)}s`,
  };
}
