import { InvalidInputError } from "../../core/errors.ts";

/** A message: one line of JSON, then the bytes that it announces in `attached`. */
export interface Frame {
  message: Record<string, unknown>;
  attached: Uint8Array[];
}

/** A message is settings and numbers; whatever is large is attached. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;
/** No message of the protocol has more. */
const MAX_ATTACHED = 2;
const LINE_FEED = 0x0a;

export function writeFrame(message: object, attached: readonly Uint8Array[] = []): Uint8Array[] {
  const lengths = attached.map(({ length }) => length);
  return [new TextEncoder().encode(`${JSON.stringify({ ...message, attached: lengths })}\n`), ...attached];
}

/** Reads frames of a stream one by one, when they are asked for: what is not asked for stays with its sender. */
export class FrameReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /**
   * @param limitBytes - of everything that is attached, together
   * @returns null where the stream ended before the frame did
   * @throws InvalidInputError `TRAINER_INVALID` where it is no frame or longer than it may be
   */
  async read(limitBytes: number): Promise<Frame | null> {
    const line = await this.#line();
    if (line === null) return null;
    const { attached: lengths = [], ...message } = parseLine(line);
    if (!isLengths(lengths)) throw invalid(`attached: expected at most ${MAX_ATTACHED} lengths, got something else`);
    const bytes = lengths.reduce((sum, length) => sum + length, 0);
    if (bytes > limitBytes) throw invalid(`expected at most ${limitBytes} attached bytes, got ${bytes}`);
    const attached: Uint8Array[] = [];
    for (const length of lengths) {
      while (this.#heldBytes < length) if (!(await this.#more())) return null;
      attached.push(this.#take(length));
    }
    return { message, attached };
  }

  async #line(): Promise<Uint8Array | null> {
    let searched = 0;
    for (;;) {
      const at = this.#held.slice(searched).findIndex((chunk) => chunk.includes(LINE_FEED));
      if (at >= 0) {
        const before = this.#held.slice(0, searched + at).reduce((sum, { length }) => sum + length, 0);
        const length = before + this.#held[searched + at].indexOf(LINE_FEED);
        if (length > MAX_LINE_BYTES) break;
        const line = this.#take(length + 1);
        return line.subarray(0, length);
      }
      searched = this.#held.length;
      if (this.#heldBytes > MAX_LINE_BYTES) break;
      if (!(await this.#more())) return null;
    }
    throw invalid(`expected a line of at most ${MAX_LINE_BYTES} bytes, got more`);
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done) return false;
    this.#held.push(value);
    this.#heldBytes += value.length;
    return true;
  }

  /** The next bytes, of which as many are held: in a buffer of their own, so that tensors in them are aligned. */
  #take(length: number): Uint8Array {
    const taken = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const [first] = this.#held;
      const part = first.subarray(0, length - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === first.length) this.#held.shift();
      else this.#held[0] = first.subarray(part.length);
    }
    this.#heldBytes -= length;
    return taken;
  }
}

function parseLine(line: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch {
    throw invalid("expected a line of JSON, got something else: a trainer's own words belong on standard error");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("expected a JSON object on each line, got another value");
  return value as Record<string, unknown>;
}

function isLengths(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_ATTACHED &&
    value.every((length) => Number.isSafeInteger(length) && length >= 0)
  );
}

function invalid(reason: string): InvalidInputError {
  return new InvalidInputError("TRAINER_INVALID", `the trainer's message: ${reason}`);
}
