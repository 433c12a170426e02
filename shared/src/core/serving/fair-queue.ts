/** Longest that anyone is told to stay away: by then the line is another. */
const MAX_RETRY_SECONDS = 60;
/** Of the newest duration in the moving average: some twenty answers back nothing is left of an old pace. */
const NEWEST_SHARE = 1 / 8;

/** Somebody who wants an answer. */
export interface Entrant {
  /** whose turn it uses up */
  key: string;
  /** answers that it asks for at once; more than there are places count as all of them */
  places: number;
  /** Called once at most, maybe before `join` returns: it is at work now. */
  onTurn(waitedMs: number): void;
  /** Called instead: it will not get a turn. */
  onRefused(retryAfterSeconds: number): void;
}

interface Waiting extends Entrant {
  sinceMs: number;
}

/** How many are where. */
export interface QueueState {
  running: number;
  waiting: number;
}

/**
 * Who is at work and who waits. At most `concurrent` answers are computed at once; whoever comes then waits, and turns go round the
 * keys, one request each, in the order in which the keys' first requests came: a key with a thousand requests delays another's by one.
 *
 * Nobody is overtaken for being large: while the next needs more places than are free, those behind it wait too. At most `queued`
 * wait. One more, and the newest of the longest line is refused, the newcomer's own line where several are as long: so one key
 * cannot fill the queue against the others.
 *
 * Time is handed in, in milliseconds. Joining and leaving take O(keys), leaving the line O(its length).
 */
export class FairQueue {
  readonly #concurrent: number;
  readonly #queued: number;
  /** by key; the first one's turn is next */
  readonly #lines = new Map<string, Waiting[]>();
  #taken = 0;
  #running = 0;
  #waiting = 0;
  #meanMs: number | null = null;

  /**
   * @param concurrent - at least 1
   * @param queued - at least 0
   */
  constructor({ concurrent, queued }: { concurrent: number; queued: number }) {
    this.#concurrent = concurrent;
    this.#queued = queued;
  }

  get state(): QueueState {
    return { running: this.#running, waiting: this.#waiting };
  }

  /** Of the places, those that are taken: from 0 to 1. A request may take several. */
  get busyShare(): number {
    return this.#taken / this.#concurrent;
  }

  /** @returns what whoever joined calls when the answer is done, or no longer wanted; calls after the first do nothing */
  join(entrant: Entrant, nowMs: number): (nowMs: number) => void {
    const places = Math.min(entrant.places, this.#concurrent);
    let startedMs: number | null = null;
    let left = false;
    const waiting: Waiting = {
      key: entrant.key,
      places,
      sinceMs: nowMs,
      onTurn: (waitedMs) => {
        startedMs = nowMs + waitedMs;
        entrant.onTurn(waitedMs);
      },
      onRefused: (seconds) => {
        left = true;
        entrant.onRefused(seconds);
      },
    };
    this.#lineOf(entrant.key).push(waiting);
    this.#waiting++;
    this.#admit(nowMs);
    if (this.#waiting > this.#queued) this.#refuseOne(entrant.key);
    return (endMs) => {
      if (left) return;
      left = true;
      if (startedMs === null) this.#remove(waiting);
      else this.#end(places, endMs - startedMs);
      this.#admit(endMs);
    };
  }

  #lineOf(key: string): Waiting[] {
    const line = this.#lines.get(key) ?? [];
    this.#lines.set(key, line);
    return line;
  }

  #admit(nowMs: number): void {
    for (;;) {
      const first = this.#lines.values().next().value;
      if (first === undefined || this.#taken + first[0].places > this.#concurrent) return;
      const [next] = first;
      this.#remove(next);
      // whoever of this key is left goes behind the others
      if (first.length > 0) {
        this.#lines.delete(next.key);
        this.#lines.set(next.key, first);
      }
      this.#taken += next.places;
      this.#running++;
      next.onTurn(nowMs - next.sinceMs);
    }
  }

  #end(places: number, durationMs: number): void {
    this.#taken -= places;
    this.#running--;
    this.#meanMs = this.#meanMs === null ? durationMs : this.#meanMs + (durationMs - this.#meanMs) * NEWEST_SHARE;
  }

  #refuseOne(newcomer: string): void {
    let longest = this.#lines.get(newcomer)!;
    for (const line of this.#lines.values()) if (line.length > longest.length) longest = line;
    const refused = longest.at(-1)!;
    this.#remove(refused);
    refused.onRefused(this.#retryAfterSeconds());
  }

  #remove(waiting: Waiting): void {
    const line = this.#lines.get(waiting.key)!;
    line.splice(line.indexOf(waiting), 1);
    if (line.length === 0) this.#lines.delete(waiting.key);
    this.#waiting--;
  }

  /** Until the line would be worked off at the pace of late; 1 where none is known. */
  #retryAfterSeconds(): number {
    const places = [...this.#lines.values()].flat().reduce((sum, one) => sum + one.places, 0);
    const seconds = Math.ceil(((this.#meanMs ?? 0) * places) / this.#concurrent / 1000);
    return Math.min(Math.max(seconds, 1), MAX_RETRY_SECONDS);
  }
}
