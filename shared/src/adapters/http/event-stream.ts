import { once } from "node:events";
import type { FastifyReply } from "fastify";

/** What Node takes for no limit. */
export const NEVER = 0;

export interface EventStreamOptions {
  signal: AbortSignal;
  /** as `HttpLimits` has them */
  keepAliveMs: number;
  stallMs: number;
}

/**
 * An answer as server-sent events. Nothing is sent before the first event, so that an error before it has its own status; but after a
 * while of silence a comment is, and then one after each, until an event follows.
 *
 * What a reader does not take is not made: `send` waits until the connection has room, and what lies between is a few kilobytes.
 */
export class EventStream {
  readonly #reply: FastifyReply;
  readonly #options: EventStreamOptions;
  readonly #timer: NodeJS.Timeout;
  #opened = false;

  constructor(reply: FastifyReply, options: EventStreamOptions) {
    this.#reply = reply;
    this.#options = options;
    this.#timer = setInterval(() => this.#keepAlive(), options.keepAliveMs);
  }

  /** Whether something was sent, so that the status is 200 whatever comes. */
  get opened(): boolean {
    return this.#opened;
  }

  /** @throws the signal's reason, where the reader goes or takes nothing for too long */
  async send(data: string): Promise<void> {
    this.#options.signal.throwIfAborted();
    this.#open();
    this.#timer.refresh();
    const { raw } = this.#reply;
    if (raw.write(`data: ${data}\n\n`)) return;
    limitStall(this.#reply, this.#options.stallMs);
    const { signal } = this.#options;
    await once(raw, "drain", { signal }).catch((error) => {
      // Node throws an error of its own for the signal's reason
      throw signal.aborted ? signal.reason : error;
    });
    limitStall(this.#reply, NEVER);
  }

  /** Sends what may be sent last, and ends. */
  end(last: string): void {
    this.stop();
    if (this.#reply.raw.destroyed) return;
    this.#open();
    limitStall(this.#reply, this.#options.stallMs);
    this.#reply.raw.end(`data: ${last}\n\n`);
  }

  /** No comments any more; whatever is sent is another's matter. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #open(): void {
    if (this.#opened) return;
    this.#opened = true;
    this.#reply.hijack();
    this.#reply.raw.writeHead(200, {
      ...(this.#reply.getHeaders() as Record<string, string>),
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      // nginx would gather events otherwise
      "x-accel-buffering": "no",
    });
  }

  #keepAlive(): void {
    if (this.#options.signal.aborted) return;
    this.#open();
    if (!this.#reply.raw.writableNeedDrain) this.#reply.raw.write(": keep-alive\n\n");
  }
}

/** Cuts the connection once nothing of what is being sent was taken for so long. */
export function limitStall({ request }: Pick<FastifyReply, "request">, stallMs: number): void {
  request.raw.socket.setTimeout(stallMs);
}
