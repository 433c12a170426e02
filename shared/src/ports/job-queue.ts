/** A message that is hidden from other receivers for a while. */
export interface QueuedMessage {
  body: string;
  /** of this delivery: another delivery of the message has another */
  receiptHandle: string;
}

/** The queue that one party's jobs come from. */
export interface JobQueue {
  /**
   * The next message; null where none came in time.
   * @param options - how long to wait for one, for how long it is hidden from others, and what ends the wait
   */
  receive(options: { waitSeconds: number; hiddenSeconds: number; signal: AbortSignal }): Promise<QueuedMessage | null>;
  /** Keeps a received message hidden for so long from now on; 0: it comes again at once. */
  hide(message: QueuedMessage, seconds: number): Promise<void>;
  /** Takes a received message off the queue. */
  delete(message: QueuedMessage): Promise<void>;
}
