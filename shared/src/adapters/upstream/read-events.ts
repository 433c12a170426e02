import { createParser } from "eventsource-parser";

/** Most characters of one event; 20 likeliest tokens of 128 answers in one have half a million. */
const MAX_EVENT = 4 * 1024 * 1024;

/** @throws what `refuse` makes, where an event is too long, or the bytes are no UTF-8 */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
  refuse: (reason: string) => Error,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const events: string[] = [];
  let overflow = false;
  const parser = createParser({
    maxBufferSize: MAX_EVENT,
    onEvent: ({ data }) => events.push(data),
    onError: ({ type }) => {
      overflow ||= type === "max-buffer-size-exceeded";
    },
  });
  const decode = (bytes: Uint8Array) => {
    try {
      return decoder.decode(bytes, { stream: true });
    } catch {
      throw refuse("expected UTF-8, got other bytes");
    }
  };
  for await (const bytes of body) {
    parser.feed(decode(bytes));
    // those before the one that is too long are whole
    yield* events.splice(0);
    if (overflow) throw refuse(`expected events of at most ${MAX_EVENT} characters, got a longer one`);
  }
}
