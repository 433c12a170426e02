/** Counts the answers under way by adapter: a server behind may take an adapter from answers that use it. */
export class RunningAnswers {
  readonly #counts = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  /** @param adapter - null: nobody waits for the base model. @returns ends it */
  begin(adapter: string | null): () => void {
    if (adapter === null) return () => {};
    this.#counts.set(adapter, (this.#counts.get(adapter) ?? 0) + 1);
    return () => {
      const left = this.#counts.get(adapter)! - 1;
      if (left > 0) {
        this.#counts.set(adapter, left);
        return;
      }
      this.#counts.delete(adapter);
      for (const go of this.#waiting.get(adapter) ?? []) go();
      this.#waiting.delete(adapter);
    };
  }

  /** Resolves once no answer uses the adapter. */
  async ended(adapter: string): Promise<void> {
    if (!this.#counts.has(adapter)) return;
    await new Promise<void>((resolve) => {
      this.#waiting.set(adapter, [...(this.#waiting.get(adapter) ?? []), resolve]);
    });
  }
}
