/** Where the endpoint says what happens: never a prompt, an answer or a key. */
export interface ServingLogger {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

export interface StartServing {
  /** as `servingEnvironment` lists them */
  variables: NodeJS.ProcessEnv;
  logger: ServingLogger;
  /** where no keys are named: whether one is made for this process; else that is a mistake */
  makesKey: boolean;
  /** aborted, it ends what is still being started, with the signal's reason */
  signal?: AbortSignal;
}

/** What an engine in this process takes of its memory. */
export interface ServingRoom {
  weightBytes: number;
  /** of the keys and values of one token of a text */
  tokenBytes: number;
  /** of all texts together that fit beside the weights; null: on a GPU, whose memory is not looked at */
  tokens: number | null;
}

/** How an endpoint ended. */
export interface Drained {
  /** requests that were answered since it began, whatever their answer was */
  answered: number;
  /** answers that were under way when the time was over */
  cutOff: number;
}

/** An endpoint that answers. */
export interface Serving {
  /** `http://127.0.0.1:8080`, without a path */
  url: string;
  metricsUrl: string | null;
  model: { id: string; contextTokens: number };
  /** names of the adapters that are served so far */
  adapters: readonly string[];
  /** whether the model has a chat template; with a server behind, which does not tell, false */
  hasChat: boolean;
  /** made for this process; null: others were named, or none are asked for */
  key: string | null;
  asksForKeys: boolean;
  /** a certificate that signed itself: clients must be told of it; else null */
  certificate: string | null;
  /** null: a server behind computes */
  memory: ServingRoom | null;
  /**
   * Ends it as a load balancer and clients like it: `/ready` says 503 at once; requests are still taken for a short while; then
   * those under way are answered to their end, or until the time is over. Calls after the first wait for the same end.
   */
  drain(): Promise<Drained>;
  /** Ends it at once; where it is being drained, when that has ended. */
  close(): Promise<void>;
}
