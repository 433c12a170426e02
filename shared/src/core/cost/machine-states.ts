/**
 * How many states a run's machines enter and how many events they leave in Step Functions' history, where nothing fails. Held to the
 * synthesized machines by a test that runs them.
 *
 * An execution's history ends at 25,000 events, and the execution with it. What is billed are state transitions: a state entered is
 * one, whatever it does inside, and each retry is one more.
 */

/** Where an execution of AWS Step Functions fails: events of its history, bytes of a state's input or output. */
export const STEP_FUNCTIONS_LIMITS = { events: 25_000, payloadBytes: 262_144 } as const;

/** A failed attempt of a task that waits for a token: scheduled, started, submitted, failed. */
export const EVENTS_OF_A_RETRY = 4;

/** All that one execution of the round machine depends on. */
export interface RoundStates {
  clients: number;
  /** who is scored after it */
  parties: number;
  /** shards that are translated for the server, and for clients */
  toServer: number;
  toClients: number;
  direction: "both" | "to-clients" | "none";
  /** whether the clients' adapters are averaged */
  averages: boolean;
  /** a variant's first round, whose beginning is its run's */
  begun: boolean;
  /** whether the server extracts its knowledge by itself */
  extracts: boolean;
}

/** All that the machines' numbers of states depend on. */
export interface MachineSize {
  /** ordered pairs of vocabularies */
  maps: number;
  baselines: number;
  /** of the run and of its variants, in their order */
  rounds: readonly RoundStates[];
}

export interface StateCount {
  transitions: number;
  events: number;
}

/** Entered and exited. */
const PASS: StateCount = { transitions: 1, events: 2 };
const CHOICE = PASS;
const SUCCEED = PASS;
/** Entered, scheduled, started, succeeded, exited. */
const LAMBDA: StateCount = { transitions: 1, events: 5 };
/** The same with `submitted`: a task that waits for its token, or for another execution. */
const TOKEN: StateCount = { transitions: 1, events: 6 };
const NESTED = TOKEN;
/** A job of a party: the choice of where it runs, and the task there. The server's own stages have no choice. */
const JOB = inOrder(CHOICE, TOKEN);
const SERVER_JOB = TOKEN;
/** Started and succeeded. */
const EXECUTION_EVENTS = 2;

/** The run machine's own execution; its rounds have executions of their own. */
export function countRunStates({ maps, baselines, rounds }: MachineSize): StateCount {
  return asExecution(
    inOrder(PASS, CHOICE, PASS, LAMBDA, CHOICE),
    mapped(maps, LAMBDA),
    mapped(baselines, JOB),
    PASS,
    times(rounds.length, inOrder(NESTED, CHOICE)),
    inOrder(LAMBDA, SUCCEED),
  );
}

/** One execution of the round machine. */
export function countRoundStates(round: RoundStates): StateCount {
  const { clients, parties, toServer, toClients, direction, averages, begun, extracts } = round;
  const begin = parallel(mapped(clients, JOB), inOrder(CHOICE, extracts ? SERVER_JOB : PASS));
  return asExecution(
    inOrder(PASS, CHOICE, ...(begun ? [] : [begin]), CHOICE),
    ...(direction === "both" ? [mapped(toServer, TOKEN), LAMBDA, SERVER_JOB] : []),
    mapped(toClients, TOKEN),
    mapped(clients, inOrder(CHOICE, ...(direction === "none" ? [] : [LAMBDA]), JOB)),
    CHOICE,
    ...(averages ? [LAMBDA] : []),
    mapped(parties, JOB),
    LAMBDA,
  );
}

/** The whole run: what is billed, and the longest history of one execution. */
export function countRun(size: MachineSize): { transitions: number; events: number; longestHistory: number } {
  const run = countRunStates(size);
  const rounds = size.rounds.map(countRoundStates);
  const longestHistory = Math.max(run.events, ...rounds.map(({ events }) => events));
  return { ...inOrder(run, ...rounds), longestHistory };
}

function inOrder(...steps: readonly StateCount[]): StateCount {
  return {
    transitions: steps.reduce((sum, { transitions }) => sum + transitions, 0),
    events: steps.reduce((sum, { events }) => sum + events, 0),
  };
}

function times(count: number, { transitions, events }: StateCount): StateCount {
  return { transitions: count * transitions, events: count * events };
}

/** An inline Map: entered, started, succeeded, exited; each iteration started and succeeded. */
function mapped(iterations: number, each: StateCount): StateCount {
  return {
    transitions: 1 + iterations * each.transitions,
    events: 4 + iterations * (2 + each.events),
  };
}

/** Entered, started, succeeded, exited; branches have no events of their own. */
function parallel(...branches: readonly StateCount[]): StateCount {
  return inOrder({ transitions: 1, events: 4 }, ...branches);
}

function asExecution(...steps: readonly StateCount[]): StateCount {
  return inOrder(...steps, { transitions: 0, events: EXECUTION_EVENTS });
}
