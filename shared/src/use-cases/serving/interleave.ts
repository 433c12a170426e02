type Step<T> = { index: number; next: IteratorResult<T> } | { error: unknown };

/**
 * Gives what several streams give, as it comes; each stream's own order is kept. All are begun at once, and asked one step ahead. Where
 * one fails, or the loop is left, all are ended before it goes on.
 *
 * @param end - makes the streams end, so that none is waited for
 */
export async function* interleave<T>(streams: readonly AsyncIterable<T>[], end: () => void): AsyncGenerator<T, void> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const ready: Step<T>[] = [];
  let wake = () => {};
  const give = (step: Step<T>) => {
    ready.push(step);
    wake();
  };
  const ask = (index: number) =>
    iterators[index].next().then(
      (next) => give({ index, next }),
      (error) => give({ error }),
    );
  const asked = iterators.map((_, index) => ask(index));
  try {
    for (let running = iterators.length; running > 0; ) {
      const step = ready.shift();
      if (step === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if ("error" in step) throw step.error;
      if (step.next.done) {
        running--;
        continue;
      }
      asked[step.index] = ask(step.index);
      yield step.next.value;
    }
  } finally {
    end();
    await Promise.all(asked);
    // what they say on being ended is nobody's concern any more
    await Promise.allSettled(iterators.map((iterator) => iterator.return?.()));
  }
}
