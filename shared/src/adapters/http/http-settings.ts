import type { OtherFields } from "../../contracts/openai/read-request.ts";
import { LONGEST_SILENCE_SECONDS } from "../../contracts/serving-times.ts";
import type { Inference } from "../../ports/inference.ts";
import type { KeyChain } from "../../ports/key-chain.ts";
import type { RuntimeAdapters, ServedNames } from "../../ports/served-names.ts";

/** What a stranger may take of the process, and for how long. */
export interface HttpLimits {
  /** of a request; a context of 128,000 tokens is written in half a megabyte */
  bodyBytes: number;
  /** of a request's first line and headers */
  headerBytes: number;
  /** how long the headers may take to arrive, against those who send a byte now and then */
  headersMs: number;
  /** how long the whole request may */
  requestMs: number;
  /** how often the two above are looked at */
  checkMs: number;
  /** how long a connection may stay open between requests: longer than a load balancer keeps it, which must be the first to close it */
  idleMs: number;
  /** how long a reader may take none of what is sent: then its connection is cut, and its answer ends */
  stallMs: number;
  /** a stream that has nothing to tell sends a comment as often, so that nothing between takes it for dead */
  keepAliveMs: number;
  connections: number;
}

export const HTTP_LIMITS: HttpLimits = {
  bodyBytes: 4 * 1024 * 1024,
  headerBytes: 16 * 1024,
  headersMs: 10_000,
  requestMs: 60_000,
  checkMs: 2_000,
  idleMs: (LONGEST_SILENCE_SECONDS + 10) * 1000,
  stallMs: 30_000,
  keepAliveMs: 15_000,
  connections: 2048,
};

/** PEM. */
export interface Certificate {
  certificate: string;
  key: string;
}

export interface HttpSettings {
  host: string;
  /** 0: any that is free */
  port: number;
  /** on the same host; 0: any that is free; null: no metrics are served */
  metricsPort: number | null;
  /** answers that are computed at the same time */
  concurrent: number;
  /** requests that wait for their turn */
  queued: number;
  otherFields: OtherFields;
  tls: Certificate | null;
  limits?: Partial<HttpLimits>;
}

/** Where the layer says what happens: never a prompt, an answer or a key. */
export interface HttpLog {
  info(message: string, facts: Record<string, unknown>): void;
  warn(message: string, facts: Record<string, unknown>): void;
  error(message: string, facts: Record<string, unknown>): void;
}

export interface HttpDependencies {
  inference: Pick<Inference, "answer">;
  names: ServedNames;
  /** null: whoever can connect may ask, and load adapters */
  keys: KeyChain | null;
  /** null: there are no calls that load and unload adapters; asked once answers can be computed */
  adapters: RuntimeAdapters | null;
  /** whether answers can be computed yet */
  isReady(): boolean;
  log: HttpLog;
  /**
   * How long a request waited, in seconds: when it got its turn or went. To one that is sent away, the time for which it is: counted as
   * nothing, the many that are refused at once would hide how long the others wait.
   */
  onWaited?(seconds: number): void;
  /** milliseconds from any beginning that never go back */
  nowMs?(): number;
  /** for `x-request-id`; absent: random */
  newRequestId?(): string;
}
