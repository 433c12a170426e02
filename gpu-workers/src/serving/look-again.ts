/**
 * Has something looked at again every so often, never twice at once; the process does not live on for it.
 *
 * @param look - rejects never. Its signal comes with the end: a look that is under way then tells nothing and takes nothing up
 * @returns ends it
 */
export function lookAgain(look: (signal: AbortSignal) => Promise<void>, everyMs: number): () => void {
  const ending = new AbortController();
  let isLooking = false;
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    void look(ending.signal).finally(() => {
      isLooking = false;
    });
  }, everyMs).unref();
  return () => {
    clearInterval(timer);
    ending.abort();
  };
}
