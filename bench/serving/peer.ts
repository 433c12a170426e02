/** What requests that were sent at once took. */
export interface Burst {
  /** until the last of them was answered whole */
  seconds: number;
  answers: readonly Answer[];
  /** processor time that the program took for them, all threads together */
  processorSeconds: number;
}

export interface Answer {
  /** until its first text was there */
  firstSeconds: number;
  /** until it was whole */
  seconds: number;
  text: string;
}

/** A program that continues texts greedily, and never ends one early. */
export interface Peer {
  readonly name: string;
  readonly version: string;
  /** @throws Error where a text has other than so many new tokens */
  answer(prompts: readonly (readonly number[])[], tokens: number): Promise<Omit<Burst, "processorSeconds">>;
  /** its largest resident memory so far */
  peakMemoryMib(): number;
  /** that its process has taken so far */
  processorSeconds(): number;
  end(): Promise<void>;
}
