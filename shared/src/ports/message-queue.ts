/** The queue that a message came from. */
export interface MessageQueue {
  /**
   * Hands a message back that could not be handled: it comes again after this time, not after the queue's own, which is
   * made for the longest work.
   */
  comeAgain(message: { queueArn: string; receiptHandle: string }, delaySeconds: number): Promise<void>;
}
