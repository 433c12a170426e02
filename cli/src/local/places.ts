/** A limited number of places, given out in the order of asking. */
export interface Places {
  /** @returns gives the place back; rejects with the signal's reason where the wait is called off */
  take(signal: AbortSignal): Promise<() => void>;
}

export function places(count: number): Places {
  let free = count;
  const queue: (() => void)[] = [];
  const give = () => {
    free++;
    queue.shift()?.();
  };
  return {
    take(signal) {
      return new Promise((resolve, reject) => {
        const called = () => {
          const index = queue.indexOf(enter);
          if (index >= 0) queue.splice(index, 1);
          reject(signal.reason);
        };
        const enter = () => {
          signal.removeEventListener("abort", called);
          free--;
          let given = false;
          resolve(() => {
            if (!given) give();
            given = true;
          });
        };
        if (signal.aborted) return reject(signal.reason);
        if (free > 0) return enter();
        queue.push(enter);
        signal.addEventListener("abort", called, { once: true });
      });
    },
  };
}
